//! Reducer results that cannot be stored, and marks on look-alike operator names in every output.

use std::collections::HashSet;

use hitl::{
    MemoryStore,
    api::{self, Request},
    prelude::*,
};
use serde_json::{Value, json};

#[draft]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mean {
    value: Option<f64>,
}

/// A draft with an unordered field, which its author accepts with `#[draft(foreign)]`.
#[draft]
#[derive(Clone, Debug, PartialEq)]
pub struct Tags {
    #[draft(foreign)]
    all: HashSet<u32>,
}

/// Adds the values. A negative new value makes the sum NaN, which as JSON `null` would read back as `None`.
fn add(old: Mean, new: Mean) -> Mean {
    let value = old.value.zip(new.value).map(|(old, new)| if new < 0.0 { f64::NAN } else { old + new });
    Mean { value }
}

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Letter {
    #[garde(length(min = 1))]
    text: String,
}

#[state]
pub struct Survey {
    #[input]
    pub number: f64,
    #[input]
    pub tagged: u32,
    #[reduce(add)]
    pub mean: Mean,
    pub tags: Tags,
    pub letter: Letter,
    #[output]
    pub outcome: String,
}

#[node(Survey, writes = mean)]
async fn measure() -> Result<Mean> {
    Ok(Mean { value: Some(1.0) })
}

#[node(Survey, writes = mean)]
async fn measure_again(number: &f64) -> Result<Mean> {
    Ok(Mean { value: Some(*number) })
}

#[node(Survey, writes = tags)]
async fn tag(tagged: &u32) -> Result<Tags> {
    Ok(Tags { all: (0..*tagged).collect() })
}

#[node(Survey, writes = letter)]
async fn write() -> Result<Letter> {
    Ok(Letter { text: "Dear Ada".to_owned() })
}

#[interrupt_before(role = "clerk", unsigned(tags, mean))]
#[node(Survey, writes = outcome, effect)]
async fn send(letter: &Approved<Letter>, tags: &Tags, mean: &Mean) -> Result<String> {
    Ok(format!("{}: {} tags, {:?}", letter.text, tags.all.len(), mean.value))
}

#[node(Survey, writes = outcome)]
async fn discard(_rejection: &Rejection) -> Result<String> {
    Ok("discarded".to_owned())
}

graph! {
    pub Surveyor<Survey> {
        start -> measure -> measure_again -> tag -> write -> send -> end;
        send { reject -> discard }
        discard -> end;
    }
}

fn input(number: f64, tagged: u32) -> SurveyInput {
    SurveyInput { number, tagged }
}

#[tokio::test]
async fn a_nan_in_an_option_fails_the_node() {
    let agent = Surveyor::new(MemoryStore::new());
    let turn = agent.start("t", input(-1.0, 1)).await.unwrap();
    let SurveyorTurn::Failed(failed) = turn else { panic!("{turn}") };
    assert!(failed.node() == "measure_again", "{failed}");
    assert!(failed.error().contains("the reducer of `mean` failed"), "{failed}");
    // The value before the failed write is kept and not replaced by `null`.
    assert_eq!(agent.view("t").await.unwrap().fields["mean"], json!({ "value": 1.0 }));
}

#[tokio::test]
async fn look_alike_operator_names_are_marked_in_every_output() {
    // A name in a single script, so it may sign; each of its Cyrillic letters looks like a Latin one.
    const CEO: &str = "\u{441}\u{435}\u{43e}";
    let agent = Surveyor::new(MemoryStore::new());
    let turn = agent.start_as(&Operator::new("ceo"), "t", input(1.0, 1)).await.unwrap();
    let SurveyorTurn::Send(review) = turn else { panic!("{turn}") };
    let mut heard = agent.listen("t").unwrap();
    let _ = review.approve(&Operator::new(CEO).role("clerk")).await.unwrap();
    // Live events, which server-sent events and WebSockets forward, carry the marks.
    let mut told = Vec::new();
    while let Some(hitl::ThreadEvent::Entry(entry)) = heard.try_next() {
        told.extend(entry.marks.clone());
    }
    assert_eq!(told, ["look-alike letters: U+0441 like c, U+0435 like e, U+043E like o"]);
    // The JSON API's history carries the marks.
    let request = Request::parse(json!({ "action": "history", "thread_id": "t" }), None).unwrap();
    let history = serde_json::to_value(api::dispatch(&agent, request, None).await.unwrap()).unwrap();
    let marks_of = |event: &str| -> Value {
        let entries = history["entries"].as_array().unwrap().iter();
        let mut of_event = entries.filter(|entry| !entry["event"][event].is_null());
        of_event.next().unwrap()["marks"].clone()
    };
    assert_eq!(marks_of("started"), json!([format!("looks like `{CEO}`, another name here")]));
    assert_eq!(marks_of("decided"), json!([told[0], "looks like `ceo`, another name here"]));
    assert_eq!(marks_of("ran"), Value::Null);
    #[cfg(feature = "cli")]
    {
        let shown = printed(&agent, &["history", "t"]).await;
        for words in [
            format!(
                "{CEO} (look-alike letters: U+0441 like c, U+0435 like e, U+043E like o) (looks like `ceo`, another name here)"
            ),
            "ceo (looks like".to_owned(),
        ] {
            assert!(shown.contains(&words), "{words}: {shown}");
        }
    }
}

/// Runs a command and returns its standard output.
#[cfg(feature = "cli")]
async fn printed(agent: &Agent<Surveyor>, words: &[&str]) -> String {
    use std::sync::{Arc, Mutex};

    use hitl::cli::{Cli, Io};

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let page = Page::default();
    let mut io = Io::process();
    io.stdout = Box::new(page.clone());
    io.colors = (false, false);
    let args = ["survey"].iter().chain(words).map(std::ffi::OsString::from);
    Cli::new(agent.clone()).run_on(args, false, io).await;
    let bytes = page.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}
