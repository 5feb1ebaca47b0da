//! The project's own files as text, for tests that hold rules about them.

use std::path::{Path, PathBuf};

/// A file of the checkout.
pub struct Source {
    /// From the root of the checkout, with `/`.
    pub path: String,
    pub text: String,
}

/// A statement or line of code.
pub struct Part {
    /// Of its first line, from 1.
    pub line: usize,
    /// Without comments. An import that spans lines is one part.
    pub code: String,
    /// Compiled for tests alone.
    pub in_tests: bool,
}

impl Source {
    /// The files below a folder or file of the checkout that are text, sorted by path.
    pub fn below(path: &str) -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = Vec::new();
        collect(&root.join(path), &mut files);
        files.sort();
        files.into_iter().filter_map(|file| Self::read(root, &file)).collect()
    }

    fn read(root: &Path, file: &Path) -> Option<Self> {
        let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("read {}: {error}", file.display()));
        let inside = file.strip_prefix(root).expect("found below the root");
        Some(Self { path: inside.to_str()?.replace('\\', "/"), text: String::from_utf8(bytes).ok()? })
    }

    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Every line with its number.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// The code, part by part. What stands in a file or folder named for tests, or behind the first `#[cfg(test)]`
    /// module that opens in place, is in tests: our modules end with their tests.
    pub fn parts(&self) -> Vec<Part> {
        let test_file = ["tests.rs", "sample.rs", "fixtures.rs", "/tests/"].iter().any(|name| self.path.contains(name));
        let mut in_tests = test_file;
        let mut cfg_test = false;
        let mut parts: Vec<Part> = Vec::new();
        for (line, text) in self.lines() {
            let code = text.split("//").next().unwrap_or_default();
            match parts.last_mut() {
                Some(part) if is_open_import(&part.code) => part.code.push_str(code.trim()),
                _ => {
                    in_tests |= cfg_test && code.starts_with("mod ") && code.ends_with('{');
                    cfg_test = code.trim() == "#[cfg(test)]";
                    parts.push(Part { line, code: code.to_owned(), in_tests });
                }
            }
        }
        parts
    }
}

fn is_open_import(code: &str) -> bool {
    let code = code.trim_start();
    ["use ", "pub use ", "pub(super) use ", "pub(crate) use "].iter().any(|start| code.starts_with(start))
        && !code.contains(';')
}

/// The identifiers of a text, in order.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

/// Whether a text names something: as a whole word, not as a part of another.
pub fn names(text: &str, word: &str) -> bool {
    let inner = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let whole = |at: usize| {
        let ends_open = word.ends_with(|c: char| c.is_alphanumeric());
        let (before, behind) = (text[..at].chars().next_back(), text[at + word.len()..].chars().next());
        !(inner(before) || ends_open && inner(behind))
    };
    text.match_indices(word).any(|(at, _)| whole(at))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_file() {
        files.push(path.to_owned());
        return;
    }
    let entries = std::fs::read_dir(path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()));
    for entry in entries {
        let path = entry.expect("an entry of a folder can be read").path();
        let hidden = path.file_name().is_some_and(|name| name == "node_modules" || name == "__pycache__");
        if !hidden {
            collect(&path, files);
        }
    }
}
