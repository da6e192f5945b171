//! Functions that read files of the spec.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;
use sha2::Sha512;

use super::Function;
use super::args;
use super::args::Args;
use super::args::Fault;
use super::encode::hashed;
use super::encode::hex;
use super::exact;
use crate::diag::Code;
use crate::lang::Value;

pub(super) const TABLE: &[Function] = &[
    exact("basename", "path", 1, |a| {
        let path = a.text(0)?;
        args::text(path.rsplit('/').next().unwrap_or(""))
    }),
    exact("dirname", "path", 1, |a| {
        let path = a.text(0)?;
        args::text(path.rsplit_once('/').map_or(".", |(folder, _)| folder))
    }),
    exact("file", "path", 1, |a| args::text(read(a)?)),
    exact("filebase64", "path", 1, |a| {
        args::text(STANDARD.encode(read(a)?))
    }),
    exact("filebase64sha256", "path", 1, |a| {
        args::text(STANDARD.encode(hashed::<Sha256>(&read(a)?)))
    }),
    exact("filebase64sha512", "path", 1, |a| {
        args::text(STANDARD.encode(hashed::<Sha512>(&read(a)?)))
    }),
    exact("fileexists", "path", 1, |a| {
        Ok(Value::Bool(a.cx.scope.file(&a.text(0)?).is_ok()))
    }),
    exact("filemd5", "path", 1, |a| {
        args::text(hex(&hashed::<Md5>(&read(a)?)))
    }),
    exact("filesha1", "path", 1, |a| {
        args::text(hex(&hashed::<Sha1>(&read(a)?)))
    }),
    exact("filesha256", "path", 1, |a| {
        args::text(hex(&hashed::<Sha256>(&read(a)?)))
    }),
    exact("filesha512", "path", 1, |a| {
        args::text(hex(&hashed::<Sha512>(&read(a)?)))
    }),
];

pub(super) fn read(args: &Args<'_>) -> Result<String, Fault> {
    let path = args.text(0)?;
    args.cx.scope.file(&path).map_err(|why| {
        let shown = if args.cx.may_show() {
            path.as_str()
        } else {
            "…"
        };
        Fault::arg(0, format!("cannot read the file `{shown}`: {why}"))
            .code(Code::FileNotFound)
            .hint("paths start at the folder of the spec")
    })
}
