//! The world: an append-only file of effects.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// One effect that took place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub what: EffectKind,
    pub key: String,
    pub cents: u64,
    pub signed_by: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum EffectKind {
    Letter,
    Refund,
}

pub struct Ledger(PathBuf);

impl Ledger {
    pub fn in_dir(dir: &Path) -> Self {
        Self(dir.join("ledger"))
    }

    /// Appends an effect, and syncs the file.
    pub fn add(&self, line: &Line) {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.0).unwrap();
        let mut text = serde_json::to_string(line).unwrap();
        text.push('\n');
        file.write_all(text.as_bytes()).unwrap();
        file.sync_all().unwrap();
    }

    pub fn lines(&self) -> Vec<Line> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
