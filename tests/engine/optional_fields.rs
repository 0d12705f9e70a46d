//! Fields whose type is an `Option`: a `None` that was written is a value, also when it is read back from a store, and
//! differs from a field that is not written.

use hitl::prelude::*;

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Letter {
    #[garde(inner(length(min = 1)))]
    pub text: Option<String>,
}

#[state]
pub struct Mail {
    #[input]
    pub text: Option<String>,
    pub stamp: Option<u32>,
    pub letter: Option<Letter>,
    #[output]
    pub seen: String,
}

#[node(Mail, writes = letter)]
async fn write(text: &Option<String>) -> Result<Option<Letter>> {
    Ok(text.as_ref().map(|text| Letter { text: Some(text.clone()) }))
}

#[node(Mail, writes = stamp)]
async fn stamp() -> Result<Option<u32>> {
    Ok(None)
}

#[interrupt_before(show = (text), unsigned(stamp))]
#[node(Mail, writes = seen, effect)]
async fn send(
    letter: &Approved<Option<Letter>>,
    text: Option<String>,
    stamp: Option<&Option<u32>>,
) -> Result<String> {
    Ok(format!("{:?} {text:?} {stamp:?}", letter.as_ref().and_then(|letter| letter.text.as_deref())))
}

#[node(Mail, writes = seen)]
async fn keep(rejection: &Rejection) -> Result<String> {
    Ok(rejection.operator.clone())
}

graph! {
    pub Mailer<Mail> {
        start -> write -> match text { Some(_) => send, None => stamp };
        stamp -> send -> end;
        send { reject -> keep }
        keep -> end;
    }
}

/// Starts a thread, and approves it by an agent that reads all values from the store.
async fn sent(text: Option<&str>) -> String {
    let store = MemoryStore::new();
    let input = MailInput { text: text.map(str::to_owned) };
    assert!(matches!(Mailer::new(store.clone()).start("m", input).await.unwrap(), MailerTurn::Send(_)));
    let MailerTurn::Send(review) = Mailer::new(store).turn("m").await.unwrap() else { panic!() };
    let MailerTurn::Done(seen) = review.approve(&Operator::new("mara")).await.unwrap() else { panic!() };
    seen
}

#[tokio::test]
async fn a_written_none_is_a_value() {
    assert_eq!(sent(None).await, "None None Some(None)");
}

#[tokio::test]
async fn a_field_that_is_not_written_is_no_value() {
    assert_eq!(sent(Some("Hello")).await, r#"Some("Hello") Some("Hello") None"#);
}

#[test]
fn an_input_without_the_field_is_none() {
    let read = |json: &str| serde_json::from_str::<MailInput>(json).map(|input| input.text);
    assert_eq!(read("{}").unwrap(), None);
    assert_eq!(read(r#"{"text": null}"#).unwrap(), None);
    assert_eq!(read(r#"{"text": "Hello"}"#).unwrap(), Some("Hello".to_owned()));
    assert!(read(r#"{"texts": "Hello"}"#).unwrap_err().to_string().contains("unknown field `texts`"));
    assert!(read("3").unwrap_err().to_string().contains("struct MailInput"));
    let input = MailInput { text: None };
    assert_eq!(serde_json::to_string(&input).unwrap(), r#"{"text":null}"#);
}
