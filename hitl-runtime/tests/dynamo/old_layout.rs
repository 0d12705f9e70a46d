//! A table that was written in the old layout: it can be read at once, and the appends upgrade its threads.

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use hitl_runtime::{
    Digest, ThreadId, Timestamp,
    store::{Append, OpenReview, Record, Store as _, ThreadStatus, dynamo::DynamoStore},
};

use crate::{
    emulator::{Emulator, Item},
    fixture::{after, record, review, reviews, stored_thread, thread},
};

const BORN: u64 = 0x1234;

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn bytes(value: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(value))
}

fn item(attributes: &[(&str, AttributeValue)]) -> Item {
    attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

/// Writes a thread with one entry and one review as the old layout has it.
async fn put_old(emulator: &Emulator, append: &Append) {
    let Append { thread, records, standing, reviews, due, .. } = append;
    let [entry] = &records[..] else { panic!("one entry") };
    let shard = Digest::of(thread.as_str().as_bytes()).as_bytes()[0] % 8;
    let (partition, due) = (format!("thread/{thread}"), due.unwrap());
    let length = |length: usize| u32::try_from(length).unwrap().to_be_bytes();
    let batch =
        [&[0, 1][..], &length(1), &[0], entry.hash.as_bytes(), &length(entry.body.len()), &entry.body]
            .concat();
    let mut head = vec![
        ("pk", text(&partition)),
        ("sk", text("head")),
        ("v", number(1)),
        ("next", number(1)),
        ("hash", bytes(entry.hash.as_bytes())),
        ("by", bytes(&[7; 16])),
        ("born", number(BORN)),
        ("due", number(due.as_millis())),
        ("standing", text(standing.as_str())),
    ];
    let mut items = Vec::new();
    if let Some(OpenReview { opened, place, .. }) = reviews.first() {
        let json = serde_json::to_vec(reviews).unwrap();
        let block = place.get() >> 5;
        let digest = Digest::of(&json);
        let blocks =
            [&[0], &opened.as_millis().to_be_bytes()[..], &block.to_be_bytes(), &digest.as_bytes()[..8]]
                .concat();
        head.push(("open", bytes(&blocks)));
        items.push(item(&[
            ("pk", text(format!("open/{shard:02}"))),
            ("sk", text(format!("{:016x}/{thread}/{block:016x}", opened.as_millis()))),
            ("reviews", bytes(&[&[0], &json[..]].concat())),
        ]));
    }
    let list = if *standing == ThreadStatus::InDoubt { "stuck" } else { "busy" };
    items.push(item(&head));
    items.push(item(&[
        ("pk", text(&partition)),
        ("sk", text(format!("e/{:016x}/{BORN:016x}", 0))),
        ("entries", bytes(&batch)),
    ]));
    items.push(item(&[
        ("pk", text(format!("{list}/{shard:02}"))),
        ("sk", text(thread.as_str())),
        ("standing", text(standing.as_str())),
    ]));
    items.push(item(&[
        ("pk", text(format!("due/{shard:02}"))),
        ("sk", text(format!("{:016x}/{thread}", due.as_millis()))),
    ]));
    for item in items {
        emulator.put(item).await;
    }
}

fn old_threads() -> Vec<Append> {
    let old = |name: &str, standing, opens: bool| {
        let thread: ThreadId = thread(name);
        let reviews = if opens { vec![review(&thread, 40, 50)] } else { vec![] };
        let records = vec![record(0, format!("\"{name}\"").into_bytes())];
        after(&thread, &[])
            .with_records(records)
            .with_standing(standing)
            .with_reviews(reviews)
            .with_due(Some(Timestamp::from_millis(70)))
    };
    vec![
        old("in doubt", ThreadStatus::InDoubt, true),
        old("running", ThreadStatus::Running, false),
        old("waiting", ThreadStatus::Waiting, true),
    ]
}

/// Asserts that every list has these threads as their last appends left them.
async fn assert_listed(emulator: &Emulator, journals: &[(Append, Vec<Record>)]) {
    for (append, records) in journals {
        let found = stored_thread(&emulator.store(), &append.thread).await;
        assert_eq!(found.records, *records, "{}", append.thread);
        assert_eq!(found.reviews, append.reviews, "{}", append.thread);
        assert_eq!((found.standing, found.due), (Some(append.standing), true), "{}", append.thread);
        let page = emulator.store().threads(Some(append.standing), None, 10).await.unwrap();
        assert!(page.items.contains(&(append.thread.clone(), append.standing)), "{}", append.thread);
    }
}

/// Removes the layout record, which a table of the old layout does not have.
async fn forget_layout(emulator: &Emulator) {
    for item in emulator.scan().await.iter().filter(|item| item.contains_key("layout")) {
        emulator.delete(item).await;
    }
}

/// Returns the layout record, if the table has one, and whether it says that the table is upgraded.
async fn layout_record(emulator: &Emulator) -> Option<(String, bool)> {
    let items = emulator.scan().await;
    let record = items.iter().find(|item| item["pk"].as_s().unwrap() == "late")?;
    Some((record["sk"].as_s().unwrap().clone(), record.contains_key("upgraded")))
}

async fn is_upgraded(emulator: &Emulator) -> bool {
    layout_record(emulator).await.is_some_and(|(_, upgraded)| upgraded)
}

async fn listed(store: &DynamoStore) -> Vec<String> {
    let page = store.reviews(None, 10).await.unwrap();
    page.items.iter().map(|review| review.thread.to_string()).collect()
}

#[tokio::test]
async fn a_table_of_the_old_layout_is_read_and_upgraded() {
    let emulator = Emulator::start().await;
    forget_layout(&emulator).await;
    let mut journals: Vec<_> =
        old_threads().into_iter().map(|append| (append.clone(), append.records)).collect();
    for (append, _) in &journals {
        put_old(&emulator, append).await;
    }
    assert_listed(&emulator, &journals).await;
    // A sweep finds that there are old rows.
    assert_eq!(emulator.store().due(Timestamp::from_millis(100), None, 10).await.unwrap().items.len(), 3);
    assert!(!is_upgraded(&emulator).await);

    // As long as a review is open, its row stays where it is, so that no reader of both lists misses it. So does the
    // status until it changes.
    let is_old = |key: &&String| key.starts_with("open/") || key.starts_with("stuck/");
    for at in 0..journals.len() {
        append(&emulator, &mut journals[at], &|_| {}).await;
        assert_listed(&emulator, &journals).await;
    }
    assert_eq!(emulator.items().await.iter().filter(is_old).count(), 3);
    assert_eq!(emulator.store().due(Timestamp::from_millis(100), None, 10).await.unwrap().items.len(), 3);
    assert!(!is_upgraded(&emulator).await);

    // Now each thread gets another status, its review is closed, and another one is opened.
    let next = [ThreadStatus::Running, ThreadStatus::Waiting, ThreadStatus::Failed];
    for (at, standing) in next.into_iter().enumerate() {
        let change = |append: &mut Append| {
            append.standing = standing;
            append.reviews = vec![review(&append.thread, 41, 60)];
        };
        append(&emulator, &mut journals[at], &change).await;
        assert_listed(&emulator, &journals).await;
    }
    assert_eq!(emulator.items().await.iter().find(is_old), None);
    assert_eq!(emulator.store().due(Timestamp::from_millis(100), None, 10).await.unwrap().items.len(), 3);
    assert!(is_upgraded(&emulator).await);
    assert_listed(&emulator, &journals).await;
    assert_eq!(reviews(&emulator.store(), &thread("waiting")).await, journals[2].0.reviews);
}

/// Appends an entry to a thread, and keeps what the lists have to show then.
async fn append(
    emulator: &Emulator,
    (last, records): &mut (Append, Vec<Record>),
    change: &dyn Fn(&mut Append),
) {
    let Append { records: new, after, .. } = after(&last.thread, records);
    let mut next = last.clone().with_records(new).with_after(after);
    change(&mut next);
    emulator.store().append(next.clone()).await.unwrap();
    records.extend(next.records.clone());
    *last = next;
}

/// A program that knows only the old layout takes the layout record for the lag marker of a thread, and cannot read the
/// head of that thread. So its list of reviews, which lacks those of the new layout, ends with an error. In its own
/// layout, the version of the head is 1.
#[tokio::test]
async fn lists_of_older_programs_end_with_an_error() {
    let emulator = Emulator::start().await;
    forget_layout(&emulator).await;
    emulator.store().reviews(None, 10).await.unwrap();
    assert_eq!(layout_record(&emulator).await, None, "a list needs no record");
    let first = after(&thread("new"), &[]);
    emulator.store().append(first).await.unwrap();

    let (name, upgraded) = layout_record(&emulator).await.unwrap();
    assert!(!upgraded && ThreadId::existing(&name).is_ok() && ThreadId::new(&name).is_err(), "{name:?}");
    let items = emulator.scan().await;
    let head = items.iter().find(|item| item["pk"].as_s().unwrap() == &format!("thread/{name}")).unwrap();
    assert_eq!((head["sk"].as_s().unwrap().as_str(), head["v"].as_n().unwrap().as_str()), ("head", "2"));
    let head = items.iter().find(|item| item["pk"].as_s().unwrap() == "thread/new").unwrap();
    assert_eq!(head["v"].as_n().unwrap(), "2");
    assert_eq!(listed(&emulator.store()).await, Vec::<String>::new());
}

/// An older program that was not stopped opens a review after the upgrade.
#[tokio::test]
async fn rows_of_the_old_layout_after_the_upgrade_are_found() {
    let emulator = Emulator::start().await;
    let reader = emulator.store();
    assert!(is_upgraded(&emulator).await);
    assert_eq!(listed(&reader).await, Vec::<String>::new());
    for append in old_threads() {
        put_old(&emulator, &append).await;
    }
    // The next sweep that looks for them finds them for all processes.
    assert_eq!(emulator.store().due(Timestamp::from_millis(100), None, 10).await.unwrap().items.len(), 3);
    assert!(!is_upgraded(&emulator).await);
    for store in [reader, emulator.store()] {
        assert_eq!(listed(&store).await, ["in doubt", "waiting"]);
    }
}

/// An older program crashed after an append whose rows were deferred. The first list finishes its work.
#[tokio::test]
async fn deferred_rows_of_an_older_program_are_written() {
    let emulator = Emulator::start().await;
    forget_layout(&emulator).await;
    let all = old_threads().into_iter().find(|append| append.standing == ThreadStatus::Waiting).unwrap();
    put_old(&emulator, &all.clone().with_reviews(vec![])).await;
    let json = serde_json::to_vec(&all.reviews).unwrap();
    for mut item in emulator.scan().await.into_iter().filter(|item| item["pk"] == text("thread/waiting")) {
        if let Some(AttributeValue::B(entries)) = item.get_mut("entries") {
            *entries = Blob::new([entries.as_ref(), &json].concat());
        } else {
            item.insert("late".into(), text("reviews"));
        }
        emulator.put(item).await;
    }
    emulator.put(item(&[("pk", text("late")), ("sk", text("waiting"))])).await;

    assert_eq!(reviews(&emulator.store(), &all.thread).await, all.reviews);
    let keys = emulator.items().await;
    assert!(keys.iter().any(|key| key.starts_with("review/")) && !keys.contains(&"late waiting".into()));
    assert!(emulator.scan().await.iter().any(|item| item.contains_key("layout")), "older programs see it");
    assert_listed(&emulator, &[(all.clone(), all.records)]).await;
}

#[tokio::test]
async fn a_thread_of_the_old_layout_is_deleted_with_all_its_rows() {
    let emulator = Emulator::start().await;
    forget_layout(&emulator).await;
    for append in old_threads() {
        put_old(&emulator, &append).await;
        emulator.store().delete(&append.thread).await.unwrap();
        assert_eq!(emulator.items().await, Vec::<String>::new());
    }
}
