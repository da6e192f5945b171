//! Arguments in one spelling.

use std::ffi::OsString;

use crate::cli::ambient::Ambient;

/// Brings arguments into one spelling: `-name` is accepted for `--name`, and arguments of
/// `DRPLAN_CLI_ARGS` and `DRPLAN_CLI_ARGS_command` come right behind the command.
pub(crate) fn normalised(
    argv: impl IntoIterator<Item = OsString>,
    ambient: &Ambient,
) -> Vec<OsString> {
    let mut out = Vec::new();
    let mut command_seen = false;
    let mut value_of_global = false;
    for (i, arg) in argv.into_iter().enumerate() {
        let Some(text) = arg.to_str() else {
            out.push(arg);
            continue;
        };
        let long = text.starts_with('-') && !text.starts_with("--") && text.len() > 2;
        let spelled = if long {
            format!("-{text}")
        } else {
            text.to_owned()
        };
        let is_command = i > 0 && !command_seen && !value_of_global && !spelled.starts_with('-');
        value_of_global = !command_seen && spelled == "--chdir";
        out.push(OsString::from(&spelled));
        if is_command {
            command_seen = true;
            for name in [
                "DRPLAN_CLI_ARGS".to_owned(),
                format!("DRPLAN_CLI_ARGS_{spelled}"),
            ] {
                if let Some(extra) = ambient.env.get(&name) {
                    out.extend(extra.split_whitespace().map(OsString::from));
                }
            }
        }
    }
    out
}
