//! The fingerprint of a graph: eight hexadecimal digits that show whether a thread meets another graph than before.

use hitl_core::millis;

use std::fmt::Write as _;

use serde_json::Value;

use crate::{
    Digest,
    graph::{ExpirySpec, GraphSpec, Point, RiskSpec, RoleSpec},
    node::GraphTable,
};

/// Returns the fingerprint of a graph: of its fields, its nodes with what they read and write, its edges, and its
/// reviews with their schemas, invariants and rules. Titles and descriptions do not count, so a changed comment does
/// not change it.
pub(in crate::engine) fn fingerprint(graph: &GraphTable) -> String {
    let spec = graph.spec;
    let mut text = format!("{}\n", spec.name);
    // Writing to a `String` cannot fail.
    let _ = describe(spec, &mut text);
    for entry in graph.nodes {
        if let Some(reviewed) = entry.reviewed {
            // A panic in a schema is reported where the schema is used. Until it is fixed, the graph has another
            // fingerprint.
            let schema = reviewed.schema_of(entry.spec.name);
            let mut schema = schema.unwrap_or_else(|broken| Value::String(broken.to_string()));
            without_prose(&mut schema);
            // The order must not depend on the map type that serde_json is built with.
            schema.sort_all_objects();
            let _ = writeln!(text, "{} signs {schema}", entry.spec.name);
        }
    }
    Digest::of(text.as_bytes()).to_string()[..8].to_owned()
}

fn describe(spec: &GraphSpec, text: &mut String) -> std::fmt::Result {
    for field in spec.state.fields {
        let (input, output, reduced) = (field.input, field.output, field.reduced);
        writeln!(text, "{}: {} {input} {output} {reduced}", field.name, field.ty)?;
    }
    for node in spec.nodes {
        let signed = node.interrupt.map(|interrupt| interrupt.field);
        writeln!(text, "{} {:?} {:?} {signed:?}", node.name, node.writes, node.effect)?;
        if let Some(interrupt) = node.interrupt {
            // Fixed ones keep the text that they had before a review could choose them.
            let role = match interrupt.role {
                Some(RoleSpec::Fixed(role)) => Some(role),
                Some(RoleSpec::Chosen { .. }) | None => None,
            };
            let expires = match interrupt.expires {
                Some(ExpirySpec::Fixed(after)) => Some(millis::of(after)),
                Some(ExpirySpec::Chosen { .. }) | None => None,
            };
            writeln!(text, "  asks {role:?} {expires:?} {:?}", interrupt.remind.map(millis::of))?;
            if let Some(RoleSpec::Chosen { by, roles }) = interrupt.role {
                writeln!(text, "  role {} {roles:?}", by.text)?;
            }
            if let Some(ExpirySpec::Chosen { by, values }) = interrupt.expires {
                let values: Vec<u64> = values.iter().copied().map(millis::of).collect();
                writeln!(text, "  expires {} {values:?}", by.text)?;
            }
            if let Some(condition) = interrupt.when {
                writeln!(text, "  when {}", condition.text)?;
            }
            match interrupt.risk {
                Some(RiskSpec::Fixed(risk)) => writeln!(text, "  risk {risk}")?,
                Some(RiskSpec::Chosen { by, values }) => writeln!(text, "  risk {} {values:?}", by.text)?,
                None => {}
            }
            if interrupt.irreversible {
                writeln!(text, "  cannot be undone")?;
            }
            if interrupt.not_requester {
                writeln!(text, "  not the requester")?;
            }
            if !interrupt.edit {
                writeln!(text, "  takes no edit")?;
            }
            // Written only if not empty, so that a review without them keeps its fingerprint.
            for (word, names) in
                [("covers", interrupt.covers), ("shows", interrupt.shows), ("unsigned", interrupt.unsigned)]
            {
                if !names.is_empty() {
                    writeln!(text, "  {word} {names:?}")?;
                }
            }
        }
        if let Some(risk) = node.risk {
            writeln!(text, "  risk {risk}")?;
        }
        if node.counted {
            writeln!(text, "  counted")?;
        }
        for read in node.reads {
            writeln!(text, "  {} {:?}", read.field, read.kind)?;
        }
    }
    for edge in spec.edges {
        let name = |point: Point| point.name(spec);
        writeln!(text, "{} -> {} {:?} {:?}", name(edge.from), name(edge.to), edge.kind, edge.joins)?;
    }
    // The limits of loops are in the guards, and bindings in the patterns. A graph without them keeps its fingerprint.
    if spec.nodes.iter().any(|node| node.counted || node.is_binding()) {
        for route in spec.routes {
            writeln!(text, "{} {} {:?}", route.from.name(spec), route.field, route.cases)?;
        }
    }
    for each in spec.forks.iter().filter_map(|fork| fork.each) {
        // `at_most` is left out: a thread does not depend on how many items run concurrently.
        writeln!(text, "for {} in {}", each.item, each.list)?;
    }
    Ok(())
}

/// Removes titles and descriptions from a JSON Schema. A property with such a name is an object, not a string, and
/// stays.
fn without_prose(schema: &mut Value) {
    match schema {
        Value::Object(keys) => {
            for word in ["title", "description"] {
                if keys.get(word).is_some_and(Value::is_string) {
                    keys.remove(word);
                }
            }
            keys.values_mut().for_each(without_prose);
        }
        Value::Array(items) => items.iter_mut().for_each(without_prose),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use garde::Validate;
    use schemars::JsonSchema;

    use super::*;

    /// Returns the schema of a type without titles and descriptions.
    fn bare<T: JsonSchema>() -> Value {
        let mut schema = schemars::schema_for!(T).to_value();
        without_prose(&mut schema);
        schema
    }

    mod plain {
        use super::*;

        #[derive(JsonSchema, Validate)]
        #[garde(allow_unvalidated)]
        #[allow(dead_code)]
        pub(super) struct Draft {
            pub(super) title: String,
            #[garde(range(max = 100))]
            pub(super) dollars: u32,
        }
    }

    mod told {
        use super::*;

        /// A refund to pay.
        #[derive(JsonSchema, Validate)]
        #[garde(allow_unvalidated)]
        #[allow(dead_code)]
        pub(super) struct Draft {
            /// The title of the order.
            pub(super) title: String,
            /// US dollars.
            #[garde(range(max = 100))]
            pub(super) dollars: u32,
        }
    }

    mod tightened {
        use super::*;

        #[derive(JsonSchema, Validate)]
        #[garde(allow_unvalidated)]
        #[allow(dead_code)]
        pub(super) struct Draft {
            pub(super) title: String,
            #[garde(range(max = 99))]
            pub(super) dollars: u32,
        }
    }

    #[test]
    fn invariants_change_the_fingerprint_and_comments_do_not() {
        assert_eq!(bare::<plain::Draft>(), bare::<told::Draft>());
        assert_ne!(bare::<plain::Draft>(), bare::<tightened::Draft>());
        assert!(bare::<plain::Draft>()["properties"]["title"].is_object());
    }
}
