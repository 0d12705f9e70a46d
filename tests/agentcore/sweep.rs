//! A test that one sweep handles everything that is due, on DynamoDB too.

use futures_util::{StreamExt as _, stream};
use hitl::{ManualClock, SweepEvent, ThreadStatus, Timestamp, prelude::*};

use crate::table::{Table, store};

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Letter {
    #[garde(length(min = 1))]
    text: String,
}

#[state]
pub struct Mail {
    pub letter: Letter,
    #[output]
    pub outcome: String,
}

#[node(Mail, writes = letter)]
async fn write() -> Result<Letter> {
    Ok(Letter { text: "Dear Ada".into() })
}

#[interrupt_before(role = "clerk", expires = "24h")]
#[node(Mail, writes = outcome, effect)]
async fn send(letter: &Approved<Letter>) -> Result<String> {
    Ok(letter.text.clone())
}

#[node(Mail, writes = outcome)]
async fn discard(_rejection: &Rejection) -> Result<String> {
    Ok("discarded".into())
}

graph! {
    pub Mailer<Mail> {
        start -> write -> send -> end;
        send { reject -> discard }
        discard -> end;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sweep_handles_all_due_threads_on_dynamodb() {
    const COUNT: usize = 300;
    let table = Table::create().await;
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let agent = Mailer::new(store(table.endpoint())).clock(clock.clone());
    let start = |n: usize| {
        let agent = agent.clone();
        async move { drop(agent.start(format!("due-{n:04}"), MailInput {}).await.unwrap()) }
    };
    stream::iter(0..COUNT).map(start).buffer_unordered(16).collect::<Vec<()>>().await;
    clock.advance(std::time::Duration::from_secs(24 * 60 * 60));
    let noticed = agent.sweep().await.unwrap();
    let ended =
        |noticed: &&SweepEvent| matches!(noticed, SweepEvent::Moved { standing: ThreadStatus::Ended, .. });
    assert_eq!((noticed.len(), noticed.iter().filter(ended).count()), (COUNT, COUNT));
    assert!(agent.store().due(Timestamp::MAX, None, 1).await.unwrap().items.is_empty());
}
