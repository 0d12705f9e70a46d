//! Every form of the grammar, in a crate with strict lints.
#![deny(warnings, missing_docs, unreachable_pub, rust_2018_idioms, missing_debug_implementations)]
#![deny(single_use_lifetimes, unused_results)]

use hitl::prelude::*;

/// A level.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Risk {
    /// A high risk.
    High,
    /// A risk of this amount.
    Some(u32),
    /// A low risk.
    Low,
}

/// The draft of a payment.
#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Draft {
    /// The amount.
    #[garde(range(min = 1))]
    pub amount: u32,
}

/// The clock that the nodes use.
#[derive(Debug)]
pub struct Clock;

/// The house.
#[derive(Debug)]
pub struct House {
    clock: std::sync::Arc<Clock>,
}

impl Provides<Clock> for House {
    fn provide(this: &std::sync::Arc<Self>) -> Deps<Clock> {
        Deps::new(std::sync::Arc::clone(&this.clock))
    }
}

/// All that is known.
#[state]
#[derive(Debug)]
pub struct Case {
    /// The question.
    #[input]
    pub message: String,
    /// A raw name.
    #[input]
    pub(crate) r#type: u32,
    /// The risk.
    pub risk: Risk,
    /// The field that is signed.
    pub draft: Draft,
    /// A second field that is signed.
    pub second: Draft,
    /// A list that grows.
    #[reduce(append)]
    pub notes: Vec<String>,
    /// A number that grows.
    #[reduce(|old, new| old.max(new))]
    pub score: u32,
    /// A sum.
    #[reduce(u32::saturating_add)]
    pub sum: u32,
    /// One answer.
    #[output]
    pub answer: String,
    /// Another answer.
    #[output]
    #[reduce(append)]
    pub log: Vec<String>,
}

const LIMIT: usize = 1;
const APPROVER: &str = "approver";
const WEEK: std::time::Duration = std::time::Duration::from_hours(7 * 24);

#[node(Case, writes = risk, retries = 3, backoff = "250ms", timeout = "1m")]
async fn triage(message: &str, r#type: u32, clock: Deps<Clock>, cx: &Cx) -> Result<Risk> {
    let _ = (&*clock, cx);
    Ok(if message.len() as u32 > r#type { Risk::High } else { Risk::Low })
}

#[node(Case, writes = (draft, notes))]
async fn propose(mut message: String, question: Option<&Question>, notes: Option<&[String]>) -> Result<(Draft, Vec<String>)> {
    message.extend(question.map(|q| q.text.as_str()));
    message.extend(notes.unwrap_or_default().iter().map(String::as_str));
    Ok((Draft { amount: message.len() as u32 }, vec![message]))
}

#[node(Case, writes = second)]
async fn again(draft: &Draft) -> Result<Draft, std::io::Error> {
    Ok(draft.clone())
}

#[node(Case, writes = (answer, log), effect, idempotent, retries = 2)]
#[interrupt_before(role = APPROVER, expires = match second.amount { 0 => "7d", _ => WEEK }, review = draft, edit = false, show = second)]
async fn pay(draft: &Approved<Draft>, second: &Draft, house: Deps<House>, clock: Deps<Clock>) -> Result<(String, Vec<String>)> {
    let _ = (&*house, &*clock, second);
    Ok((draft.signer().to_string(), vec![]))
}

#[interrupt_before(edit = false, covers = (pay_first, pay_second, file), show = (message, r#type), unsigned(notes), when = draft.amount > 3 || r#type == 7 && message.len() > LIMIT)]
#[node(Case, effect)]
async fn pay_first(draft: &Approved<Draft>, message: &str, notes: Option<&[String]>) -> Result<()> {
    let _ = (draft.thread(), draft.node(), draft.field(), draft.role(), draft.signer(), draft.digest(), message, notes);
    Ok(())
}

#[hitl::interrupt_before(review = second, edit = false)]
#[hitl::node(Case, effect)]
async fn pay_second(second: &Approved<Draft>, draft: &Approved<Draft>) -> Result<()> {
    let _ = (second, draft);
    Ok(())
}

#[node(Case, writes = (answer, log), effect, risk = low)]
async fn file(draft: &Approved<Draft>, r#type: u32) -> Result<(String, Vec<String>)> {
    let _ = (draft, r#type);
    Ok((String::new(), Vec::new()))
}

#[node(Case, writes = score, effect, risk = low)]
async fn count(_cx: &Cx) -> hitl::NodeResult<u32> {
    Ok(1)
}

#[node(Case, writes = (score, sum))]
async fn weigh(message: &String) -> Result<(u32, u32)> {
    Ok((message.len() as u32, 1))
}

#[node(Case, writes = notes)]
async fn note(rejection: Option<&Rejection>) -> Result<Vec<String>> {
    Ok(rejection.map(|r| r.note.clone()).into_iter().collect())
}

#[node(Case, writes = (answer, log))]
async fn refuse(rejection: Option<&Rejection>) -> Result<(String, Vec<String>)> {
    Ok((rejection.map(|r| r.note.clone()).unwrap_or_default(), Vec::new()))
}

#[node(Case, writes = (answer, log))]
async fn apologize(rejection: &Rejection) -> Result<(String, Vec<String>)> {
    Ok((rejection.note.clone(), Vec::new()))
}

/// Nodes of another module.
pub mod deep {
    use hitl::prelude::*;

    #[node(crate::Case, writes = notes)]
    pub(crate) async fn look_up(message: &str) -> Result<Vec<String>> {
        Ok(vec![message.to_owned()])
    }
}

fn unsafe_looking(n: u32) -> bool {
    n > 5
}

graph! {
    /// Takes every way there is.
    ///
    /// And says so.
    #[derive(PartialEq)]
    pub Agent<Case, House> {
        start -> triage -> match risk {
            Risk::High => propose,
            | Risk::Some(n) if *n > 3 && matches!(runs(triage), 0..=3) => propose,
            Risk::Some(n) if { let last = (0..runs(triage)).contains(n); if last { true } else { false } } => propose,
            Risk::Some(n) if match *n { 0 => false, _ => unsafe_looking(*n) } => propose,
            Risk::Some(_) | Risk::Low => refuse -> end,
        };
        propose -> (count, again -> (weigh, note) -> deep::look_up) -> pay -> end;
        pay { ask -> propose, reject -> apologize }
        apologize -> end;
    }
}

graph! {
    Signed<crate::Case, House,> {
        start -> propose -> again -> pay_first -> pay_second -> file -> end;
        pay_second { reject -> refuse -> end }
        pay_first { reject -> refuse, };
    }
}

graph! {
    /// Two reviews at once.
    pub(crate) SideBySide<Case, House> {
        start -> propose -> again -> (solo, duo) -> refuse -> end;
        solo { reject -> refuse }
        duo { reject -> note }
        note -> refuse
    }
}

#[node(Case, effect)]
#[interrupt_before(edit = false)]
async fn solo(draft: &Approved<Draft>) -> Result<()> {
    let _ = draft;
    Ok(())
}

#[interrupt_before]
#[node(Case, effect)]
async fn duo(second: &Approved<Draft>) -> Result<()> {
    let _ = second;
    Ok(())
}

graph! {
    /// For each number, and in it for each word of it.
    pub Batch<Lists, House> {
        start -> for number in numbers, at_most = 2 { spell -> for word in words { whisper -> (shout, rest) -> sign } -> rest_too } -> sum_up -> end;
        sign { reject -> spell_again, ask -> whisper }
        spell_again -> rest_too
    }
}

/// Lists.
#[state]
#[derive(Debug)]
pub struct Lists {
    /// A list.
    #[input]
    pub numbers: Vec<u32>,
    /// One item of `numbers`.
    pub number: u32,
    /// A list that each item has.
    pub words: Vec<String>,
    /// One item of `words`.
    pub word: String,
    /// The field that is signed.
    pub draft: Draft,
    /// The words that all items append.
    #[reduce(append)]
    #[output]
    pub said: Vec<String>,
}

#[node(Lists, writes = words)]
async fn spell(number: u32) -> Result<Vec<String>> {
    Ok(vec![number.to_string()])
}

#[node(Lists, writes = draft)]
async fn shout(word: &str) -> Result<Draft> {
    Ok(Draft { amount: word.len() as u32 })
}

#[node(Lists, writes = said)]
async fn whisper(word: String, number: u32, question: Option<&Question>) -> Result<Vec<String>> {
    let _ = question;
    Ok(vec![word, number.to_string()])
}

#[interrupt_before(edit = false)]
#[node(Lists, writes = said, effect)]
async fn sign(draft: &Approved<Draft>) -> Result<Vec<String>> {
    Ok(vec![draft.amount.to_string()])
}

#[node(Lists)]
async fn spell_again(rejection: &Rejection) -> Result<()> {
    let _ = rejection;
    Ok(())
}

#[node(Lists)]
async fn rest(said: &[String]) -> Result<()> {
    let _ = said;
    Ok(())
}

#[node(Lists)]
async fn rest_too() -> Result<()> {
    Ok(())
}

#[node(Lists)]
async fn sum_up(said: &[String]) -> Result<()> {
    let _ = said;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let house = House { clock: std::sync::Arc::new(Clock) };
    let agent = Agent::new(house, MemoryStore::new());
    match agent.start("x", CaseInput { message: String::new(), r#type: 3 }).await? {
        AgentTurn::Pay(review) => println!("{}", review.draft().amount),
        AgentTurn::Done((answer, log)) => println!("{answer} {log:?}"),
        turn @ (AgentTurn::InDoubt(_) | AgentTurn::Failed(_) | AgentTurn::Running(_)) => println!("{turn} {turn:?}"),
    }
    let house = House { clock: std::sync::Arc::new(Clock) };
    match SideBySide::new(house, MemoryStore::new()).turn("x").await? {
        SideBySideTurn::Several(reviews) => {
            for review in reviews {
                match review {
                    SideBySideReview::Solo(review) => println!("{review}"),
                    SideBySideReview::Duo(review) => println!("{}", review.draft().amount),
                }
            }
        }
        turn => println!("{turn}"),
    }
    let house = House { clock: std::sync::Arc::new(Clock) };
    println!("{}", Signed::new(house, MemoryStore::new()).turn("x").await?);
    Ok(())
}
