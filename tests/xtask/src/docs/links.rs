//! Relative links between pages. Says nothing about the rest of the web.

use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::Result;

/// Returns every relative link of README and documentation whose file is not there.
pub(super) fn broken(root: &Path) -> Result<Vec<String>> {
    let mut out = Vec::new();
    for page in pages(root)? {
        let text = std::fs::read_to_string(&page)
            .with_context(|| format!("cannot read {}", page.display()))?;
        let folder = page.parent().unwrap_or(root);
        for link in links(&text) {
            let file = link.split('#').next().unwrap_or_default();
            if !file.is_empty() && !folder.join(file).exists() {
                let name = page.strip_prefix(root).unwrap_or(&page);
                out.push(format!("{}: `{link}` leads nowhere", name.display()));
            }
        }
    }
    Ok(out)
}

fn pages(root: &Path) -> Result<Vec<PathBuf>> {
    let mut out = Vec::new();
    let readme = root.join("README.md");
    if readme.is_file() {
        out.push(readme);
    }
    let mut open = vec![root.join("docs")];
    while let Some(folder) = open.pop() {
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let path = entry.context("cannot read the documentation")?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "md") {
                out.push(path);
            }
        }
    }
    out.sort();
    Ok(out)
}

/// The targets of `[text](target)` that are no addresses of the web, outside of code blocks.
fn links(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        let targets = line
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        out.extend(targets.filter(|target| !target.contains("://")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_the_web_and_of_code_are_left_alone() {
        let text = "[a](b.md#c) [d](https://e.example)\n```text\n[f](g.md)\n```\n[h](i.md)";
        assert_eq!(links(text), ["b.md#c", "i.md"]);
    }
}
