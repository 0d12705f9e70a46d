//! A test that one sweep handles everything that is due, on DynamoDB too.

use futures_util::{StreamExt as _, stream};
use hitl::{ManualClock, SweepEvent, ThreadStatus, Timestamp};

use crate::{
    kit::{
        payment::{CaseInput, Payer},
        world::World,
    },
    table::{Table, store},
};

#[tokio::test(flavor = "multi_thread")]
async fn one_sweep_handles_all_due_threads_on_dynamodb() {
    const COUNT: usize = 300;
    let table = Table::create().await;
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let agent = Payer::new(World::default(), store(table.endpoint())).clock(clock.clone());
    let start = |n: usize| {
        let agent = agent.clone();
        async move { drop(agent.start(format!("due-{n:04}"), CaseInput { cents: 5 }).await.unwrap()) }
    };
    stream::iter(0..COUNT).map(start).buffer_unordered(16).collect::<Vec<()>>().await;
    clock.advance(std::time::Duration::from_secs(24 * 60 * 60));
    let noticed = agent.sweep().await.unwrap();
    let ended =
        |noticed: &&SweepEvent| matches!(noticed, SweepEvent::Moved { standing: ThreadStatus::Ended, .. });
    assert_eq!((noticed.len(), noticed.iter().filter(ended).count()), (COUNT, COUNT));
    assert!(agent.store().due(Timestamp::MAX, None, 1).await.unwrap().items.is_empty());
}
