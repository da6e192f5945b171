//! Whether a text is a value of its record type, with Route 53's wording when it is not.
//!
//! The types that recoveries switch are checked closely; the rare ones only for being there.

use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use super::name::DomainName;
use super::record::RecordType;

/// The longest value, in characters.
const VALUE_CHARS_MAX: usize = 4000;
/// The longest quoted string inside a TXT value, in characters.
const TXT_STRING_CHARS_MAX: usize = 255;

/// Checks one value.
///
/// # Errors
///
/// The message that stands in `InvalidChangeBatch`.
pub(crate) fn check(rtype: RecordType, value: &str) -> Result<(), String> {
    if value.chars().count() > VALUE_CHARS_MAX {
        return Err(problem(
            "InvalidValueLength",
            "Value is too long",
            "a value of this set",
        ));
    }
    let fields: Vec<&str> = value.split_ascii_whitespace().collect();
    match rtype {
        RecordType::A if value.parse::<Ipv4Addr>().is_err() => Err(problem(
            "ARRDATAIllegalIPv4Address",
            "Value is not a valid IPv4 address",
            value,
        )),
        RecordType::Aaaa if value.parse::<Ipv6Addr>().is_err() => Err(problem(
            "AAAARRDATAIllegalIPv6Address",
            "Value is not a valid IPv6 address",
            value,
        )),
        RecordType::Cname | RecordType::Ns | RecordType::Ptr if !is_name(value) => Err(problem(
            "DomainLabelInvalid",
            "Value is not a valid domain name",
            value,
        )),
        RecordType::Mx if !is_mx(&fields) => Err(problem(
            "MXRRDATANotTwoFields",
            "MX record doesn't have 2 fields: a priority and a domain name",
            value,
        )),
        RecordType::Srv if !is_srv(&fields) => Err(problem(
            "SRVRRDATANotFourFields",
            "SRV record doesn't have 4 fields: priority, weight, port and a domain name",
            value,
        )),
        RecordType::Soa if !is_soa(&fields) => Err(problem(
            "SOARRDATANotSevenFields",
            "SOA record doesn't have 7 fields: two names and five numbers",
            value,
        )),
        RecordType::Txt | RecordType::Spf if !is_quoted(value) => Err(problem(
            "InvalidCharacterString",
            "Value should be enclosed in quotation marks",
            value,
        )),
        _ if value.trim().is_empty() => Err(problem("EmptyValue", "Value is empty", value)),
        _ => Ok(()),
    }
}

fn problem(code: &str, why: &str, value: &str) -> String {
    format!("Invalid Resource Record: 'FATAL problem: {code} ({why}) encountered with '{value}''")
}

fn is_name(text: &str) -> bool {
    !text.contains(char::is_whitespace) && DomainName::parse(text).is_ok()
}

fn is_mx(fields: &[&str]) -> bool {
    matches!(fields, [priority, name] if priority.parse::<u16>().is_ok() && is_name(name))
}

fn is_srv(fields: &[&str]) -> bool {
    let Some((name, numbers)) = fields.split_last() else {
        return false;
    };
    // A lone dot says that the service is decidedly not available.
    numbers.len() == 3
        && numbers.iter().all(|n| n.parse::<u16>().is_ok())
        && (*name == "." || is_name(name))
}

fn is_soa(fields: &[&str]) -> bool {
    fields.len() == 7
        && fields[..2].iter().all(|name| is_name(name))
        && fields[2..]
            .iter()
            .all(|number| number.parse::<u32>().is_ok())
}

/// Reports whether the whole value is a run of quoted strings of at most 255 characters.
fn is_quoted(value: &str) -> bool {
    let mut rest = value.trim();
    if rest.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let Some(inside) = rest.strip_prefix('"') else {
            return false;
        };
        let Some(end) = closing_quote(inside) else {
            return false;
        };
        if inside[..end].chars().count() > TXT_STRING_CHARS_MAX {
            return false;
        }
        rest = inside[end + 1..].trim_start();
    }
    true
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked_against_their_type() {
        for (rtype, value, good) in [
            (RecordType::A, "10.0.0.1", true),
            (RecordType::A, "10.0.0.256", false),
            (RecordType::A, "::1", false),
            (RecordType::A, " 10.0.0.1", false),
            (RecordType::Aaaa, "2001:db8::1", true),
            (RecordType::Aaaa, "10.0.0.1", false),
            (RecordType::Cname, "a.example.com", true),
            (RecordType::Cname, "a..example.com", false),
            (RecordType::Mx, "10 mail.example.com.", true),
            (RecordType::Mx, "mail.example.com.", false),
            (RecordType::Srv, "0 5 443 a.example.com", true),
            (RecordType::Srv, "0 5 70000 a.example.com", false),
            (RecordType::Txt, r#""v=1" "more""#, true),
            (RecordType::Txt, r#""a \" b""#, true),
            (RecordType::Txt, "bare", false),
            (RecordType::Txt, r#""open"#, false),
            (RecordType::Caa, r#"0 issue "ca.example""#, true),
            (RecordType::Caa, "", false),
        ] {
            assert_eq!(check(rtype, value).is_ok(), good, "{rtype} {value}");
        }
    }
}
