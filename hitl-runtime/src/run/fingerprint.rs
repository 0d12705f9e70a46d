//! What a graph is, in eight hexadecimal digits, so that a thread knows when it meets another one.

use std::fmt::Write as _;

use serde_json::Value;

use super::Graph;
use crate::{
    Digest,
    graph::{GraphSpec, InterruptSpec, Point},
};

/// Its fields, its nodes with what they read and write, its edges, and what is signed, invariants and the review's rule
/// included. Not its prose: a comment changes nothing.
pub(super) fn fingerprint<G: Graph>() -> String {
    let spec = G::SPEC;
    let mut text = format!("{}\n", spec.name);
    // A `String` takes whatever is written to it.
    let _ = describe(spec, &mut text);
    for entry in G::NODES {
        if let Some(reviewed) = entry.reviewed {
            // A schema that panics is told where somebody asks for it; until it is mended, the graph counts as another one.
            let schema = reviewed.schema_of(entry.spec.name);
            let mut schema = schema.unwrap_or_else(|broken| Value::String(broken.to_string()));
            without_prose(&mut schema);
            // In one order, whichever map serde_json is built with.
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
            let InterruptSpec { role, expires_ms, remind_ms, .. } = interrupt;
            writeln!(text, "  asks {role:?} {expires_ms:?} {remind_ms:?}")?;
            if !interrupt.edit {
                writeln!(text, "  takes no edit")?;
            }
            // Each only where there is some: what has none keeps its fingerprint.
            for (word, names) in
                [("covers", interrupt.covers), ("shows", interrupt.shows), ("unsigned", interrupt.unsigned)]
            {
                if !names.is_empty() {
                    writeln!(text, "  {word} {names:?}")?;
                }
            }
        }
        for read in node.reads {
            writeln!(text, "  {} {:?}", read.field, read.kind)?;
        }
    }
    for edge in spec.edges {
        let name = |point: Point| point.name(spec);
        writeln!(text, "{} -> {} {:?} {:?}", name(edge.from), name(edge.to), edge.kind, edge.joins)?;
    }
    for each in spec.forks.iter().filter_map(|fork| fork.each) {
        // How many items run at once is nothing to a thread.
        writeln!(text, "for {} in {}", each.item, each.list)?;
    }
    Ok(())
}

/// Takes out of a JSON Schema what only people read. A property that is called so is an object, and stays.
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

    /// What is left of a type's schema.
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

        /// What is to be paid.
        #[derive(JsonSchema, Validate)]
        #[garde(allow_unvalidated)]
        #[allow(dead_code)]
        pub(super) struct Draft {
            /// Whose it is.
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
    fn an_invariant_counts_and_a_comment_does_not() {
        assert_eq!(bare::<plain::Draft>(), bare::<told::Draft>());
        assert_ne!(bare::<plain::Draft>(), bare::<tightened::Draft>());
        assert!(bare::<plain::Draft>()["properties"]["title"].is_object());
    }
}
