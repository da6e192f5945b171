//! Commands as a person types them into a shell.

/// Writes one word so that a shell reads it back unchanged.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Writes a command.
pub fn joined(argv: &[String]) -> String {
    let words: Vec<String> = argv.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_reads_as_a_shell_would_take_it() {
        let argv = ["sh", "-c", "echo 'a b' > out/x", ""].map(str::to_owned);
        assert_eq!(joined(&argv), r"sh -c 'echo '\''a b'\'' > out/x' ''");
    }
}
