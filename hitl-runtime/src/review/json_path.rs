//! The path of a broken invariant in a draft's JSON.
//!
//! Garde names fields as Rust does: `window.hour` for a field of a variant, `amount[0]` for the content of a newtype,
//! `order_id` even if `serde(rename)` changes it. A person, a form and a model see the JSON, so the path is searched
//! there, step by step. `#[draft]` records the names that `serde(rename)` gives to fields. For `serde(rename_all)` it
//! records nothing, so each of its cases is tried against the JSON.

use garde::error::Path;
use serde_json::Value;

use super::{draft::Names, schema::SchemaSet};

/// The maximum number of search steps. After them, the parts that were not found keep their Rust names.
const MAX_STEPS: u32 = 2_000;

#[derive(Clone, Debug, PartialEq)]
enum Part {
    /// A field, or a key of a map.
    Key(String),
    /// An item of a list or a tuple, or the content of a newtype.
    Index(usize),
    /// The content of an option or a box.
    Inside,
}

/// Returns the path in the JSON that corresponds to `path` in Rust. A part that is not found in the JSON keeps its Rust
/// name.
pub(super) fn json_path(path: &Path, json: &Value, schema: Option<&Value>, names: &Names) -> String {
    let parts = parts(path);
    let known = schema.map(|schema| SchemaSet::for_value(schema, json)).unwrap_or_default();
    let mut search = Search { names, steps: Vec::new(), best: None, tried: 0 };
    if search.find(Some(json), &known, &parts) {
        return format_path(&search.steps, &[]);
    }
    let (steps, used) = search.best.unwrap_or_default();
    format_path(&steps, &parts[used..])
}

/// Splits a path of garde, which is serialized as pairs of a kind and a text.
fn parts(path: &Path) -> Vec<Part> {
    let pairs: Vec<(String, String)> =
        serde_json::to_value(path).and_then(serde_json::from_value).unwrap_or_default();
    pairs
        .into_iter()
        .map(|(kind, text)| match (kind.as_str(), text.parse()) {
            ("index", Ok(index)) => Part::Index(index),
            ("none", _) => Part::Inside,
            _ => Part::Key(text.strip_prefix("r#").map(str::to_owned).unwrap_or(text)),
        })
        .collect()
}

/// Returns the path as a comparison of drafts names it.
fn rust_path(parts: &[Part]) -> Vec<String> {
    let step = |part: &Part| match part {
        Part::Key(key) => Some(key.clone()),
        Part::Index(i) => Some(format!("[{i}]")),
        Part::Inside => None,
    };
    parts.iter().filter_map(step).collect()
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Key(String),
    Index(usize),
}

fn format_path(steps: &[Step], rest: &[Part]) -> String {
    let rest = rest.iter().filter_map(|part| match part {
        Part::Key(key) => Some(Step::Key(key.clone())),
        Part::Index(i) => Some(Step::Index(*i)),
        Part::Inside => None,
    });
    let mut out = String::new();
    for step in steps.iter().cloned().chain(rest) {
        match step {
            Step::Key(key) if out.is_empty() => out = key,
            Step::Key(key) => out.extend([".", &key]),
            Step::Index(i) => out.push_str(&format!("[{i}]")),
        }
    }
    out
}

struct Search<'a> {
    names: &'a Names,
    steps: Vec<Step>,
    /// The longest match so far: its steps, and the number of parts that they stand for.
    best: Option<(Vec<Step>, usize)>,
    tried: u32,
}

impl Search<'_> {
    fn find(&mut self, json: Option<&Value>, known: &SchemaSet<'_>, all: &[Part]) -> bool {
        self.search_from(json, known, all, 0)
    }

    /// Searches `json` for the parts from `at` on. `json` is `None` if an empty field is omitted.
    fn search_from(&mut self, json: Option<&Value>, known: &SchemaSet<'_>, all: &[Part], at: usize) -> bool {
        self.tried += 1;
        if self.tried > MAX_STEPS {
            return false;
        }
        if self.best.as_ref().is_none_or(|(_, used)| *used < at) {
            self.best = Some((self.steps.clone(), at));
        }
        let known = &json.map_or_else(|| known.all(), |json| known.matching(json));
        let Some(part) = all.get(at) else { return true };
        match part {
            Part::Inside => {
                self.in_variant(json, known, all, at + 1) || self.search_from(json, known, all, at + 1)
            }
            Part::Key(key) => {
                let names = match self.names.get(&rust_path(&all[..=at])) {
                    Some(name) => vec![name.to_owned()],
                    None => name_cases(key),
                };
                let map = json.and_then(Value::as_object);
                let there = names.iter().find(|name| map.is_some_and(|map| map.contains_key(*name)));
                if let Some(name) = there {
                    let inner = json.and_then(|json| json.get(name));
                    if self.step(Step::Key(name.clone()), inner, &known.child(name), all, at + 1) {
                        return true;
                    }
                }
                if self.in_variant(json, known, all, at) || self.in_content(json, known, all, at) {
                    return true;
                }
                let described = names.iter().find(|name| Some(*name) != there && known.names(name));
                if let Some(name) = described
                    && self.step(Step::Key(name.clone()), None, &known.child(name), all, at + 1)
                {
                    return true;
                }
                // The fields of a flattened field are at this level.
                let goes_on = all[at + 1..].iter().any(|part| matches!(part, Part::Key(_)));
                there.is_none() && goes_on && self.search_from(json, known, all, at + 1)
            }
            Part::Index(i) => {
                let item = json.and_then(|json| json.get(i));
                if item.is_some() && self.step(Step::Index(*i), item, &known.item(*i), all, at + 1) {
                    return true;
                }
                self.in_variant(json, known, all, at)
                    || self.in_content(json, known, all, at)
                    // A newtype is serialized as its content.
                    || (*i == 0 && item.is_none() && self.search_from(json, known, all, at + 1))
            }
        }
    }

    fn step(
        &mut self,
        step: Step,
        json: Option<&Value>,
        known: &SchemaSet<'_>,
        all: &[Part],
        at: usize,
    ) -> bool {
        self.steps.push(step);
        let found = self.search_from(json, known, all, at);
        if !found {
            self.steps.pop();
        }
        found
    }

    /// Searches inside an externally tagged variant: `{"At": {"hour": 25}}`.
    fn in_variant(&mut self, json: Option<&Value>, known: &SchemaSet<'_>, all: &[Part], then: usize) -> bool {
        let Some(map) = json.and_then(Value::as_object).filter(|map| map.len() == 1) else { return false };
        map.iter().any(|(name, inner)| {
            known.is_variant(name)
                && self.step(Step::Key(name.clone()), Some(inner), &known.child(name), all, then)
        })
    }

    /// Searches inside the content of an adjacently tagged variant: `{"kind": "At", "with": {"hour": 25}}`.
    fn in_content(&mut self, json: Option<&Value>, known: &SchemaSet<'_>, all: &[Part], then: usize) -> bool {
        let Some(map) = json.and_then(Value::as_object).filter(|map| map.len() == 2) else { return false };
        let has_tag = map.values().any(Value::is_string);
        has_tag
            && map.iter().any(|(name, inner)| {
                !inner.is_string()
                    && self.step(Step::Key(name.clone()), Some(inner), &known.child(name), all, then)
            })
    }
}

/// Returns a field's name in Rust and in each case of `serde(rename_all)`.
fn name_cases(name: &str) -> Vec<String> {
    let words: Vec<String> = name.split('_').filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    let capital = |word: &String| {
        let mut chars = word.chars();
        chars.next().map(|first| first.to_uppercase().chain(chars).collect::<String>()).unwrap_or_default()
    };
    let pascal: String = words.iter().map(capital).collect();
    let camel: String =
        words.iter().enumerate().map(|(i, word)| if i == 0 { word.clone() } else { capital(word) }).collect();
    let kebab = words.join("-");
    let mut all = vec![
        name.to_owned(),
        camel,
        kebab.clone(),
        pascal,
        name.to_uppercase(),
        kebab.to_uppercase(),
        name.to_lowercase(),
    ];
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|name| !name.is_empty() && seen.insert(name.clone()));
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use garde::Validate;
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use crate::review::DraftVtable;

    crate::review::drafts!(Draft);

    #[derive(Serialize, Deserialize, JsonSchema, Validate)]
    #[serde(rename_all = "camelCase")]
    struct Draft {
        #[garde(dive)]
        window: Window,
        #[garde(dive)]
        last_window: Option<Window>,
        #[garde(dive)]
        lines_of_it: Vec<Line>,
        #[garde(dive)]
        by_name: BTreeMap<String, Line>,
        #[garde(dive)]
        cents: Cents,
        #[garde(dive)]
        inner: Inner,
        #[garde(dive)]
        beside: Beside,
        #[garde(dive)]
        bare: Bare,
        #[garde(dive)]
        #[serde(flatten)]
        flat: Flat,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[garde(required, inner(length(min = 1)))]
        left_out: Option<String>,
        #[garde(length(min = 1))]
        r#type: String,
    }

    #[derive(Serialize, Deserialize, JsonSchema, Validate)]
    enum Window {
        #[allow(dead_code)]
        Always,
        At {
            #[garde(range(max = 23))]
            hour: u8,
        },
        Between(#[garde(range(max = 23))] u8, #[garde(range(max = 23))] u8),
        Only(#[garde(dive)] Hour),
        #[serde(rename_all = "SCREAMING-KEBAB-CASE")]
        Loud {
            #[garde(range(max = 23))]
            from_hour: u8,
        },
    }

    #[derive(Serialize, Deserialize, JsonSchema, Validate)]
    struct Hour {
        #[garde(range(max = 23))]
        hour: u8,
    }

    #[derive(Serialize, Deserialize, JsonSchema, Validate)]
    struct Line {
        #[garde(dive)]
        window: Window,
    }

    #[derive(Serialize, Deserialize, JsonSchema, Validate)]
    struct Cents(#[garde(range(max = 100))] u32);

    #[derive(Serialize, Deserialize, JsonSchema, Validate)]
    #[serde(tag = "kind")]
    enum Inner {
        At {
            #[garde(range(max = 23))]
            hour: u8,
        },
        Only(#[garde(dive)] Hour),
    }

    #[derive(Serialize, Deserialize, JsonSchema, Validate)]
    #[serde(tag = "kind", content = "with")]
    enum Beside {
        At {
            #[garde(range(max = 23))]
            hour: u8,
        },
        Only(#[garde(dive)] Hour),
        Between(#[garde(range(max = 23))] u8, #[garde(range(max = 23))] u8),
    }

    #[derive(Serialize, Deserialize, JsonSchema, Validate)]
    #[serde(untagged)]
    enum Bare {
        Number(#[garde(range(max = 23))] u8),
        Only(#[garde(dive)] Hour),
    }

    #[derive(Serialize, Deserialize, JsonSchema, Validate)]
    struct Flat {
        #[garde(range(max = 23))]
        opens_at: u8,
    }

    fn base() -> serde_json::Value {
        json!({
            "window": "Always", "lastWindow": null, "linesOfIt": [], "byName": {}, "cents": 1,
            "inner": { "kind": "At", "hour": 1 }, "beside": { "kind": "At", "with": { "hour": 1 } }, "bare": 1,
            "opens_at": 1, "leftOut": "x", "type": "t",
        })
    }

    /// Returns the path of the one violation in a valid draft that is changed in these keys.
    fn path(change: serde_json::Value) -> String {
        let mut draft = base();
        if let (Some(draft), serde_json::Value::Object(change)) = (draft.as_object_mut(), change) {
            draft.extend(change);
        }
        let violations = (DraftVtable::new::<Draft>().check)(&draft.to_string()).unwrap_err();
        assert_eq!(violations.len(), 1, "{violations:?}");
        violations[0].path.clone()
    }

    #[test]
    fn a_violation_has_its_json_path() {
        assert!((DraftVtable::new::<Draft>().check)(&base().to_string()).is_ok());
        for (change, wanted) in [
            (json!({ "window": { "At": { "hour": 25 } } }), "window.At.hour"),
            (json!({ "window": { "Between": [1, 25] } }), "window.Between[1]"),
            (json!({ "window": { "Only": { "hour": 25 } } }), "window.Only.hour"),
            (json!({ "window": { "Loud": { "FROM-HOUR": 25 } } }), "window.Loud.FROM-HOUR"),
            (json!({ "lastWindow": { "At": { "hour": 25 } } }), "lastWindow.At.hour"),
            (json!({ "lastWindow": { "Only": { "hour": 25 } } }), "lastWindow.Only.hour"),
            (
                json!({ "linesOfIt": [{ "window": "Always" }, { "window": { "At": { "hour": 25 } } }] }),
                "linesOfIt[1].window.At.hour",
            ),
            (
                json!({ "byName": { "a.b": { "window": { "At": { "hour": 25 } } } } }),
                "byName.a.b.window.At.hour",
            ),
            (json!({ "cents": 101 }), "cents"),
            (json!({ "inner": { "kind": "At", "hour": 25 } }), "inner.hour"),
            (json!({ "inner": { "kind": "Only", "hour": 25 } }), "inner.hour"),
            (json!({ "beside": { "kind": "At", "with": { "hour": 25 } } }), "beside.with.hour"),
            (json!({ "beside": { "kind": "Only", "with": { "hour": 25 } } }), "beside.with.hour"),
            (json!({ "beside": { "kind": "Between", "with": [25, 1] } }), "beside.with[0]"),
            (json!({ "bare": 25 }), "bare"),
            (json!({ "bare": { "hour": 25 } }), "bare.hour"),
            (json!({ "opens_at": 25 }), "opens_at"),
            (json!({ "leftOut": null }), "leftOut"),
            (json!({ "type": "" }), "type"),
        ] {
            assert_eq!(path(change.clone()), wanted, "{change}");
        }
    }

    #[test]
    fn a_type_error_has_its_json_path() {
        for (change, wanted) in [
            (json!({ "window": { "At": { "hour": "x" } } }), "window.At.hour"),
            (
                json!({ "linesOfIt": [{ "window": { "Between": [1, "x"] } }] }),
                "linesOfIt[0].window.Between[1]",
            ),
        ] {
            assert_eq!(path(change.clone()), wanted, "{change}");
        }
    }
}
