//! A check that the tests are independent of the user's environment: none reads a variable that the README tells its
//! reader to set.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Returns the words of a text that begin with `HITL_`.
fn variables(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_uppercase() && c != '_');
    words.filter(|word| word.len() > 5 && word.starts_with("HITL_")).collect()
}

#[test]
fn no_test_reads_a_variable_of_the_readme() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let named = variables(&readme);
    assert!(named.contains("HITL_MODEL"), "{named:?}");
    let mut files = Vec::new();
    sources(&root.join("tests"), &mut files);
    sources(&root.join("hitl-runtime/tests"), &mut files);
    let mut reads = 0;
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        for call in source.split("env::var").skip(1) {
            let argument = call.split(')').next().unwrap_or_default();
            reads += 1;
            let taken: Vec<_> = variables(argument).intersection(&named).copied().collect();
            assert!(
                taken.is_empty(),
                "{} reads {taken:?}, which a reader of the README exports",
                file.display()
            );
        }
    }
    assert!(reads > 5, "{reads}");
}
