//! Transitions of a lane: the next position in the graph, in a text form that can be parsed.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use hitl_core::from_text;

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

/// The error for a text that is not a position in a graph.
///
/// ```
/// use hitl::journal::{ParseTransitionError, Transition};
///
/// assert_eq!("(fraud_check".parse::<Transition>(), Err(ParseTransitionError));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a position in a graph")]
pub struct ParseTransitionError;

impl FromStr for Transition {
    type Err = ParseTransitionError;

    fn from_str(text: &str) -> Result<Self, ParseTransitionError> {
        Ok(match text {
            "" => return Err(ParseTransitionError),
            "end" => Self::End,
            ")" => Self::Join,
            _ if text.starts_with("for ") => Self::Each(Box::new(text.parse()?)),
            _ => match text.strip_prefix('(') {
                Some(rest) => {
                    let (heads, join) = rest.split_once(") -> ").ok_or(ParseTransitionError)?;
                    let heads = heads.split(", ").map(str::to_owned).collect();
                    Self::Fork { heads, join: Box::new(join_target(join)?) }
                }
                None => Self::Node(text.to_owned()),
            },
        })
    }
}

/// Parses the target of a join, which is a node or the end, never another fork.
fn join_target(text: &str) -> Result<Transition, ParseTransitionError> {
    match text {
        "end" => Ok(Transition::End),
        "" => Err(ParseTransitionError),
        node if node.contains(['(', ')', '{', '}', ' ']) => Err(ParseTransitionError),
        node => Ok(Transition::Node(node.to_owned())),
    }
}

impl Serialize for Transition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Node(name) => serializer.serialize_str(name),
            Self::End => serializer.serialize_str("end"),
            Self::Join | Self::Fork { .. } | Self::Each(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Transition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer)
    }
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Each {
    /// The field that holds the item.
    pub item: String,
    /// The field that holds the list.
    pub list: String,
    /// `true` if the items see the list, too; written `&orders`. Otherwise the list is not copied into each item's
    /// state, because none of their nodes reads it.
    pub keeps_list: bool,
    /// The maximum number of items that run concurrently; not written if it is 8.
    pub at_most: usize,
    /// The first node that each item runs.
    pub head: String,
    /// The lists that items append to. A list that no item has appended to is empty after the join.
    pub into: Vec<String>,
    /// The target of the join.
    pub join: Transition,
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

impl FromStr for Each {
    type Err = ParseTransitionError;

    fn from_str(text: &str) -> Result<Self, ParseTransitionError> {
        let parts = || {
            let (item, rest) = text.strip_prefix("for ")?.split_once(" in ")?;
            let (list, rest) = rest.split_once(" { ")?;
            let (head, rest) = rest.split_once(" }")?;
            let (into, join) = rest.split_once(" -> ")?;
            let (list, at_most) = match list.split_once(", at_most = ") {
                Some((list, number)) => (list, number.parse().ok()?),
                None => (list, EachSpec::AT_MOST),
            };
            let into = match into {
                "" => Vec::new(),
                lists => lists.strip_prefix(" into ")?.split(", ").map(str::to_owned).collect(),
            };
            let name = list.strip_prefix('&').unwrap_or(list);
            Some(Self {
                item: item.to_owned(),
                list: name.to_owned(),
                keeps_list: name != list,
                at_most,
                head: head.to_owned(),
                into,
                join: join_target(join).ok()?,
            })
        };
        parts().ok_or(ParseTransitionError)
    }
}

impl Serialize for Each {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Each {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transition_round_trips() {
        let plain = Each {
            item: "order".into(),
            list: "orders".into(),
            keeps_list: false,
            at_most: EachSpec::AT_MOST,
            head: "look_up".into(),
            into: vec![],
            join: Transition::Node("report".into()),
        };
        let to = |each: Each| Transition::Each(Box::new(each));
        for (place, text) in [
            (Transition::Node("plan".into()), "plan"),
            (Transition::Node("for".into()), "for"),
            (Transition::End, "end"),
            (Transition::Join, ")"),
            (
                Transition::Fork { heads: vec!["a".into(), "b".into()], join: Box::new(Transition::End) },
                "(a, b) -> end",
            ),
            (to(plain.clone()), "for order in orders { look_up } -> report"),
            (to(Each { join: Transition::End, ..plain.clone() }), "for order in orders { look_up } -> end"),
            (
                to(Each { at_most: 1, ..plain.clone() }),
                "for order in orders, at_most = 1 { look_up } -> report",
            ),
            (to(Each { keeps_list: true, ..plain.clone() }), "for order in &orders { look_up } -> report"),
            (
                to(Each { into: vec!["log".into()], ..plain }),
                "for order in orders { look_up } into log -> report",
            ),
        ] {
            assert_eq!(place.to_string(), text);
            assert_eq!(text.parse(), Ok(place));
        }
    }

    #[test]
    fn invalid_transitions_are_rejected() {
        for text in [
            "",
            "(a, b",
            "(a, b) -> (c, d) -> e",
            "for order",
            "for order in orders",
            "for order in orders { look_up }",
            "for order in orders { look_up } log -> report",
            "for order in orders, at_most = many { look_up } -> report",
            "for order in orders { look_up } -> for line in lines { x } -> y",
        ] {
            assert_eq!(text.parse::<Transition>(), Err(ParseTransitionError), "{text}");
        }
    }
}
