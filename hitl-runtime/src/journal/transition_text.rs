//! The text of transitions in the journals of older versions of hitl, in which a transition was a string:
//! `(fraud_check, stock_check) -> execute`. The same text is shown to people.

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{Each, Transition};
use crate::graph::EachSpec;

/// Deserializes a value from a string through its [`FromStr`], or from an object through another type.
pub(super) fn text_or_object<'de, T, O, D>(
    deserializer: D,
    convert: fn(O) -> Option<T>,
) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    O: Deserialize<'de>,
    D: Deserializer<'de>,
{
    struct TextOrObject<T, O>(fn(O) -> Option<T>, PhantomData<T>);

    impl<'de, T: FromStr<Err: fmt::Display>, O: Deserialize<'de>> Visitor<'de> for TextOrObject<T, O> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or an object")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            let object = O::deserialize(MapAccessDeserializer::new(map))?;
            (self.0)(object).ok_or_else(|| de::Error::custom(ParseTransitionError))
        }
    }

    deserializer.deserialize_any(TextOrObject(convert, PhantomData))
}

/// The error for a text that is not a position in a graph.
///
/// ```
/// use hitl::journal::{ParseTransitionError, Transition};
///
/// let error: ParseTransitionError = "(fraud_check".parse::<Transition>().unwrap_err();
/// assert_eq!(error.to_string(), "not a position in a graph");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a position in a graph")]
#[non_exhaustive]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::EachSpec;

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
            // Junctions, as `graph!` names them.
            (Transition::Node("for:y:pay".into()), "for:y:pay"),
            (
                Transition::Fork {
                    heads: vec!["match:risk:a".into(), "b".into()],
                    join: Box::new(Transition::Node("fork:c+d".into())),
                },
                "(match:risk:a, b) -> fork:c+d",
            ),
            (
                to(Each {
                    head: "for:line:x".into(),
                    join: Transition::Node("join:a+b".into()),
                    ..plain.clone()
                }),
                "for order in orders { for:line:x } -> join:a+b",
            ),
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
            let json = serde_json::to_string(&place).unwrap();
            assert_eq!(serde_json::from_str::<Transition>(&json).unwrap(), place, "{json}");
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
