//! Domain names in the one form that Route 53 returns: lower case, a final dot, octal escapes.

/// Brings a name into canonical form, so that equal names are equal texts.
///
/// # Errors
///
/// Why it is no domain name.
pub(crate) fn canonical(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len() + 1);
    let mut label_is_empty = true;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'.' {
            if label_is_empty {
                return Err(format!("`{text}` has an empty label"));
            }
            out.push('.');
            label_is_empty = true;
            continue;
        }
        let byte = if byte == b'\\' {
            octal([bytes.next(), bytes.next(), bytes.next()])
                .ok_or_else(|| format!("`{text}` has a backslash without three octal digits"))?
        } else {
            byte
        };
        match byte.to_ascii_lowercase() {
            plain @ (b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_') => out.push(char::from(plain)),
            other => out.push_str(&format_args!("\\{other:03o}").to_string()),
        }
        label_is_empty = false;
    }
    if out.is_empty() {
        return Err("a domain name is empty".to_owned());
    }
    if !label_is_empty {
        out.push('.');
    }
    Ok(out)
}

fn octal(digits: [Option<u8>; 3]) -> Option<u8> {
    digits.into_iter().try_fold(0_u8, |sum, digit| {
        let digit = digit.filter(|digit| (b'0'..=b'7').contains(digit))?;
        sum.checked_mul(8)?.checked_add(digit - b'0')
    })
}

/// Puts a name into a zone, whose own name is canonical. A name that ends with the zone's is whole, a
/// name with a final dot must be, `@` and nothing are the zone itself.
///
/// # Errors
///
/// Why that cannot be.
pub(crate) fn in_zone(name: Option<&str>, zone: &str) -> Result<String, String> {
    let Some(text) = name.filter(|name| !matches!(*name, "" | "@")) else {
        return Ok(zone.to_owned());
    };
    let name = canonical(text)?;
    if name == zone || name.ends_with(&format!(".{zone}")) {
        Ok(name)
    } else if text.ends_with('.') {
        Err(format!("`{text}` does not lie in the zone `{zone}`"))
    } else {
        Ok(format!("{name}{zone}"))
    }
}

/// Writes a name for people: without the final dot, and with `*` as such.
pub(crate) fn shown(name: &str) -> String {
    name.trim_end_matches('.').replace("\\052", "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form() {
        for (given, kept) in [
            ("Shop.Example", Ok("shop.example.")),
            ("shop.example.", Ok("shop.example.")),
            ("*.shop.example", Ok("\\052.shop.example.")),
            ("\\052.shop.example.", Ok("\\052.shop.example.")),
            ("a..b", Err("empty label")),
            ("a\\9.b", Err("octal")),
            ("", Err("empty")),
        ] {
            match (canonical(given), kept) {
                (Ok(name), Ok(kept)) => assert_eq!(name, kept),
                (Err(why), Err(says)) => assert!(why.contains(says), "{why}"),
                (got, _) => panic!("{given}: {got:?}"),
            }
        }
    }

    #[test]
    fn a_name_is_relative_unless_it_ends_with_the_zone() {
        let zone = "shop.example.";
        for (given, whole) in [
            (None, Some("shop.example.")),
            (Some("@"), Some("shop.example.")),
            (Some("www"), Some("www.shop.example.")),
            (Some("WWW.shop.example"), Some("www.shop.example.")),
            (Some("shop.example"), Some("shop.example.")),
            (Some("myshop.example"), Some("myshop.example.shop.example.")),
            (Some("*"), Some("\\052.shop.example.")),
            (Some("www.other.example."), None),
        ] {
            assert_eq!(in_zone(given, zone).ok().as_deref(), whole, "{given:?}");
        }
        assert_eq!(shown("\\052.shop.example."), "*.shop.example");
    }
}
