//! Transitions of a lane: the next position in the graph.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::transition_text::text_or_object;
use crate::graph::EachSpec;

/// The next position of a lane in its graph. The journal stores it, so that old journals keep their meaning under new
/// code.
///
/// ```
/// use hitl::journal::Transition;
///
/// let heads = vec!["fraud_check".to_owned(), "stock_check".to_owned()];
/// let fork = Transition::Fork { heads, join: Box::new(Transition::Node("execute".into())) };
/// assert_eq!(fork.to_string(), "(fraud_check, stock_check) -> execute");
/// assert_eq!("(fraud_check, stock_check) -> execute".parse::<Transition>()?, fork);
/// assert_eq!((Transition::Join.to_string(), Transition::End.to_string()), (")".into(), "end".into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transition {
    /// A node.
    Node(String),
    /// A fork into branches that run concurrently.
    Fork {
        /// The first node of each branch.
        heads: Vec<String>,
        /// The target of the join: a node or the end.
        join: Box<Transition>,
    },
    /// A `for`: one lane for each item of a list.
    Each(Box<Each>),
    /// The join of the fork or the `for` that the lane is a part of.
    Join,
    /// The end of the graph.
    End,
}

/// The syntax of `graph!`: `plan`, `end`, `(fraud_check, stock_check) -> execute`. [`Transition::Join`] is `)`.
impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(name) => f.write_str(name),
            Self::Fork { heads, join } => write!(f, "({}) -> {join}", heads.join(", ")),
            Self::Each(each) => each.fmt(f),
            Self::Join => f.write_str(")"),
            Self::End => f.write_str("end"),
        }
    }
}

impl Transition {
    /// Returns whether a join may lead here: to a node or to the end.
    fn is_target_of_join(&self) -> bool {
        matches!(self, Self::Node(_) | Self::End)
    }
}

/// A node and the end are their names. Every other transition is an object with its kind as the only member:
/// `{"fork": {"heads": ["fraud_check", "stock_check"], "join": "execute"}}`.
impl Serialize for Transition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Node(name) => serializer.serialize_str(name),
            Self::End => serializer.serialize_str("end"),
            Self::Fork { heads, join } => {
                Tagged::Fork { heads: Cow::Borrowed(heads), join: Cow::Borrowed(join) }.serialize(serializer)
            }
            Self::Each(each) => Tagged::For(Cow::Borrowed(each)).serialize(serializer),
            Self::Join => Tagged::Join {}.serialize(serializer),
        }
    }
}

/// Also reads the text that older versions of hitl wrote, as [`FromStr`](std::str::FromStr) does.
impl<'de> Deserialize<'de> for Transition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text_or_object(deserializer, |tagged| match tagged {
            Tagged::Fork { heads, join } if !heads.is_empty() && join.is_target_of_join() => {
                Some(Self::Fork { heads: heads.into_owned(), join: Box::new(join.into_owned()) })
            }
            Tagged::Fork { .. } => None,
            Tagged::For(each) => Some(Self::Each(Box::new(each.into_owned()))),
            Tagged::Join {} => Some(Self::Join),
        })
    }
}

/// A transition that is an object in JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tagged<'a> {
    Fork { heads: Cow<'a, [String]>, join: Cow<'a, Transition> },
    For(Cow<'a, Each>),
    Join {},
}

/// A `for` as the journal keeps it: one lane for each item, each with its own copy of the state, until all of them
/// reach the join.
///
/// ```
/// use hitl::journal::Transition;
///
/// let text = "for order in &orders, at_most = 4 { look_up } into log, outcomes -> report";
/// let Transition::Each(each) = text.parse::<Transition>()? else { panic!("a `for`") };
/// assert_eq!((each.item.as_str(), each.list.as_str(), each.at_most), ("order", "orders", 4));
/// assert_eq!((each.head.as_str(), each.join.to_string()), ("look_up", "report".into()));
/// assert!(each.keeps_list);
/// assert_eq!(each.into, ["log", "outcomes"]);
/// assert_eq!(each.to_string(), text);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct Each {
    /// The field that holds the item.
    pub item: String,
    /// The field that holds the list.
    pub list: String,
    /// `true` if the items see the list, too; `&orders` in text. Otherwise the list is not copied into each item's
    /// state, because none of their nodes reads it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps_list: bool,
    /// The maximum number of items that run concurrently; not written if it is 8.
    #[serde(default = "default_at_most", skip_serializing_if = "is_default_at_most")]
    pub at_most: usize,
    /// The first node that each item runs.
    pub head: String,
    /// The lists that items append to. A list that no item has appended to is empty after the join.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub into: Vec<String>,
    /// The target of the join.
    pub join: Transition,
}

fn default_at_most() -> usize {
    EachSpec::AT_MOST
}

fn is_default_at_most(at_most: &usize) -> bool {
    *at_most == EachSpec::AT_MOST
}

/// The syntax of `graph!`: `for order in orders { look_up } -> report`.
impl fmt::Display for Each {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sight = if self.keeps_list { "&" } else { "" };
        write!(f, "for {} in {sight}{}", self.item, self.list)?;
        if self.at_most != EachSpec::AT_MOST {
            write!(f, ", at_most = {}", self.at_most)?;
        }
        write!(f, " {{ {} }}", self.head)?;
        if !self.into.is_empty() {
            write!(f, " into {}", self.into.join(", "))?;
        }
        write!(f, " -> {}", self.join)
    }
}

impl Serialize for Each {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// Also reads the text that older versions of hitl wrote, as [`FromStr`](std::str::FromStr) does.
impl<'de> Deserialize<'de> for Each {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(transparent)]
        struct Object(#[serde(with = "Each")] Each);

        text_or_object(deserializer, |Object(each)| each.join.is_target_of_join().then_some(each))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;

    fn each() -> Each {
        Each {
            item: "order".into(),
            list: "orders".into(),
            keeps_list: false,
            at_most: EachSpec::AT_MOST,
            head: "look_up".into(),
            into: vec![],
            join: Transition::Node("report".into()),
        }
    }

    #[test]
    fn a_transition_is_a_name_or_an_object_with_its_kind() {
        let heads = vec!["a".into(), "b".into()];
        let plain = json!({ "item": "order", "list": "orders", "head": "look_up", "join": "report" });
        let mut full = plain.clone();
        for (name, value) in [("keeps_list", json!(true)), ("at_most", json!(1)), ("into", json!(["log"]))] {
            full[name] = value;
        }
        let bounded = Each { keeps_list: true, at_most: 1, into: vec!["log".into()], ..each() };
        for (transition, written) in [
            (Transition::Node("plan".into()), json!("plan")),
            (Transition::End, json!("end")),
            (Transition::Join, json!({ "join": {} })),
            (
                Transition::Fork { heads, join: Box::new(Transition::End) },
                json!({ "fork": { "heads": ["a", "b"], "join": "end" } }),
            ),
            (Transition::Each(Box::new(each())), json!({ "for": plain })),
            (Transition::Each(Box::new(bounded)), json!({ "for": full })),
        ] {
            assert_eq!(to_value(&transition).unwrap(), written);
            assert_eq!(from_value::<Transition>(written).unwrap(), transition);
        }
        assert_eq!(from_value::<Each>(plain).unwrap(), each());
    }

    #[test]
    fn other_objects_are_rejected() {
        let each = |join: serde_json::Value| json!({ "for": { "item": "order", "list": "orders", "head": "look_up", "join": join } });
        for wrong in [
            json!({}),
            json!({ "goto": "a" }),
            json!({ "fork": {} }),
            json!({ "fork": { "heads": [], "join": "end" } }),
            json!({ "fork": { "heads": ["a", "b"], "join": { "join": {} } } }),
            each(json!({ "join": {} })),
            each(each(json!("end"))),
            json!(1),
            json!("(a, b"),
        ] {
            assert!(from_value::<Transition>(wrong.clone()).is_err(), "{wrong}");
        }
    }

    /// The text of journals that older versions of hitl wrote.
    #[test]
    fn the_text_of_older_versions_is_read() {
        let heads = vec!["a".into(), "b".into()];
        let text = "for order in orders { look_up } -> report";
        for (text, transition) in [
            (")", Transition::Join),
            ("(a, b) -> end", Transition::Fork { heads, join: Box::new(Transition::End) }),
            (text, Transition::Each(Box::new(each()))),
        ] {
            assert_eq!(from_value::<Transition>(json!(text)).unwrap(), transition);
        }
        assert_eq!(from_value::<Each>(json!(text)).unwrap(), each());
    }
}
