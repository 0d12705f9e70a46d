//! Types under which a node may take and return a field.
#![deny(warnings)]
use std::{borrow::Cow, collections::BTreeMap, fmt::Debug, path::{Path, PathBuf}, sync::Arc};

use hitl::prelude::*;

#[draft]
#[derive(Clone, Validate)]
pub struct Payment {
    #[garde(skip)]
    pub cents: u64,
}

#[state]
pub struct Files {
    #[input]
    text: String,
    #[input]
    boxed: Box<String>,
    #[input]
    shares: [f64; 3],
    #[input]
    list: Vec<Option<String>>,
    #[input]
    path: PathBuf,
    #[input]
    map: BTreeMap<String, (u8, Vec<Payment>)>,
    #[input]
    cow: Cow<'static, str>,
    #[input]
    drafts: Vec<Payment>,
    boxed_again: String,
    #[output]
    sum: f64,
}

type Text = str;

#[node(Files, writes = (boxed_again, sum))]
async fn borrowed(
    text: &Text,
    boxed: &str,
    shares: &[f64],
    list: &[Option<String>],
    path: &Path,
    map: &BTreeMap<String, (u8, Vec<Payment>)>,
    cow: &Cow<'_, str>,
    drafts: &dyn Debug2,
) -> Result<(Box<String>, f64)> {
    let _ = (text, boxed, list, path, map, cow, drafts);
    Ok((Box::default(), shares.iter().sum()))
}

#[node(Files, writes = boxed_again)]
async fn owned(
    text: String,
    boxed: Box<String>,
    shares: Option<&[f64; 3]>,
    list: Option<&[Option<String>]>,
    path: Option<&Path>,
    map: &impl Sized,
    cow: &str,
    drafts: Vec<Payment>,
) -> Result<Arc<String>> {
    let _ = (text, boxed, shares, list, path, map, cow, drafts);
    Ok(Arc::default())
}

#[interrupt_before]
#[node(Files, effect)]
async fn send(drafts: &Approved<Vec<Payment>>) -> Result<()> {
    let _ = drafts;
    Ok(())
}

#[node(Files)]
async fn refuse(rejection: &Rejection) -> Result<()> {
    let _ = rejection;
    Ok(())
}

pub trait Debug2: Send + Sync {}
impl<T: Send + Sync> Debug2 for T {}

graph! {
    Agent<Files> {
        start -> owned -> borrowed -> send -> end;
        send { reject -> refuse -> end }
    }
}

fn main() {
    let _ = Agent::new(MemoryStore::new());
    let _ = |x: &dyn Debug| drop(format!("{x:?}"));
}
