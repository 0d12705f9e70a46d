//! Every way to migrate old threads.
#![deny(warnings, missing_docs)]

use hitl::{journal::Map, prelude::*};

/// A state that had three shapes before.
#[state(version = 4, migrate = over::migrate)]
pub struct Letter {
    #[input]
    message: String,
    urgent: bool,
    #[output]
    answer: String,
}

mod over {
    use super::Map;

    /// With an error of one's own.
    pub(super) fn migrate(from: u32, fields: &mut Map) -> Result<(), String> {
        if from < 2 && fields.contains_key("message") {
            fields.insert("urgent".into(), false.into());
        }
        if from < 3
            && let Some(text) = fields.remove("text")
        {
            fields.insert("message".into(), text);
        }
        match fields.get("answer") {
            Some(answer) if !answer.is_string() => Err(format!("{answer} is no answer")),
            _ => Ok(()),
        }
    }
}

/// A closure does, too; and 1 may be said.
#[state(version = 2, migrate = |_, _| Ok::<(), NodeError>(()))]
struct Second {
    #[input]
    word: String,
}

/// The first version.
#[state(version = 1)]
struct First {
    #[input]
    word: String,
}

#[node(Letter, writes = urgent)]
async fn triage(message: &str) -> Result<bool> {
    Ok(message.contains('!'))
}

/// A node may be called as the statement is.
#[node(Letter, writes = answer)]
async fn renamed(message: &str, urgent: bool) -> Result<String> {
    Ok(format!("{message} {urgent}"))
}

mod filing {
    use super::Letter;
    use hitl::prelude::*;

    #[node(Letter, effect, risk = low)]
    pub(super) async fn file(answer: &str) -> Result<()> {
        println!("{answer}");
        Ok(())
    }
}

#[node(Second)]
async fn second(word: &str) -> Result<()> {
    println!("{word}");
    Ok(())
}

#[node(First)]
async fn first(word: &str) -> Result<()> {
    println!("{word}");
    Ok(())
}

graph! {
    /// It may stand anywhere among the others, and name a node by its path.
    pub Letters<Letter> {
        renamed sort -> triage;
        start -> triage -> renamed -> filing::file;
        filing::file -> end;
        renamed keep -> filing::file;
        renamed store -> filing::file;
        renamed answer -> renamed;
    }
}

graph! { Seconds<Second> { start -> second -> end; } }
graph! { Firsts<First> { start -> first -> end; } }

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let check = Letters::new(MemoryStore::new()).check("t").await?;
    println!("{} {:?}", check.can_go_on(), check.differences);
    println!("{}", Seconds::new(MemoryStore::new()).turn("t").await?);
    println!("{}", Firsts::new(MemoryStore::new()).turn("t").await?);
    Ok(())
}
