//! The assertions after a race.

use std::collections::{BTreeMap, BTreeSet};

use hitl::{Agent, Digest, Error, FindingKind, Graph, ThreadId, ThreadStatus, Timestamp, journal::Event};

use crate::{
    graphs::World,
    racer::{Answer, Move, Racer},
};

/// One thread, and the answers to its racers.
pub struct Race {
    pub thread: String,
    pub reviews: Vec<Digest>,
    /// The answers to each racer, one for each review.
    pub answers: Vec<(Racer, Vec<Answer>)>,
}

/// The only verdict on a review.
#[derive(Debug)]
struct Decided {
    node: String,
    verdict: String,
    by: String,
    at: Timestamp,
    /// `true` if the node after the review has run.
    ran: bool,
}

/// The number of wins of each verdict; `expired` is one of them.
pub type Wins = BTreeMap<String, usize>;

/// Judges all races, and returns the wins.
pub async fn check_races<G: Graph>(agent: &Agent<G>, world: &World, races: &[Race]) -> Wins {
    let mut effects = BTreeMap::new();
    for line in world.lines() {
        *effects.entry(line).or_insert(0) += 1;
    }
    let mut wins = Wins::new();
    for race in races {
        let (all, cancelled) = race.decided(agent).await.unwrap();
        for (review, decided) in (0..).zip(all) {
            race.assert_answers(review, decided.as_ref(), cancelled.as_deref());
            let Some(decided) = decided else {
                *wins.entry("cancel".to_owned()).or_insert(0) += 1;
                continue;
            };
            let done = effects.remove(&(race.thread.clone(), decided.node.clone())).unwrap_or(0);
            let signed = matches!(decided.verdict.as_str(), "approve" | "edit");
            // A signed effect that had not begun when its thread was cancelled does not run.
            assert_eq!(
                done,
                usize::from(signed && (cancelled.is_none() || decided.ran)),
                "number of runs of the effect: `{}`, {decided:?}",
                race.thread
            );
            let how = if decided.by == "hitl" { "expired".to_owned() } else { decided.verdict };
            *wins.entry(how).or_insert(0) += 1;
        }
    }
    assert!(effects.is_empty(), "effects without a signature: {effects:?}");
    wins
}

impl Race {
    /// Returns the verdict on each review; `None` if it was closed by a cancellation. And who cancelled the thread.
    async fn decided<G: Graph>(
        &self,
        agent: &Agent<G>,
    ) -> Result<(Vec<Option<Decided>>, Option<String>), Error> {
        let thread = ThreadId::new(&self.thread)?;
        let mut wrong = agent.audit(&thread, None).await?.findings;
        // The clocks of the late racers are a day ahead.
        wrong.retain(|finding| finding.kind != FindingKind::Time);
        assert_eq!(wrong, [], "`{thread}`");
        let mut decided: BTreeMap<Digest, Decided> = BTreeMap::new();
        let (mut asked, mut cancelled, mut ran) = (false, None, BTreeSet::new());
        for entry in agent.history(&thread, 0, 1000).await? {
            let (node, verdict, operator, digest) = match entry.event {
                Event::Decided { node, verdict, operator, digest, .. } => (node, verdict, operator, digest),
                Event::Stopped { operator, .. } => {
                    assert_eq!(cancelled, None, "`{thread}` was cancelled twice");
                    cancelled = Some(operator);
                    continue;
                }
                Event::Ran { node, .. } => {
                    ran.insert(node);
                    continue;
                }
                _ => continue,
            };
            let verdict = verdict.name().to_owned();
            asked |= verdict == "ask";
            let this = Decided { node, verdict, by: operator, at: entry.at, ran: false };
            let before = decided.insert(digest, this);
            assert!(before.is_none(), "`{thread}` was decided twice: {before:?}, {:?}", decided[&digest]);
        }
        // No runner holds the thread, and it has gone as far as it can without another person.
        let view = agent.view(thread.clone()).await?;
        assert!(
            view.standing == ThreadStatus::Ended || (asked && view.standing == ThreadStatus::Waiting),
            "{view:?}"
        );
        for decided in decided.values_mut() {
            decided.ran = ran.contains(&decided.node);
        }
        let one = |review| {
            let decided = decided.remove(review);
            assert!(decided.is_some() || cancelled.is_some(), "`{thread}`: no verdict on {review}");
            decided
        };
        Ok((self.reviews.iter().map(one).collect(), cancelled.clone()))
    }

    /// Asserts that the winner was told that it won, and the others who won, with which verdict and when.
    fn assert_answers(&self, review: usize, decided: Option<&Decided>, cancelled: Option<&str>) {
        for (racer, answers) in &self.answers {
            let answer = &answers[review];
            match answer {
                Answer::Cancelled { by } => {
                    assert_eq!(Some(by.as_str()), cancelled, "{racer:?}");
                    assert!(
                        racer.does == Move::Cancel || decided.is_none(),
                        "{racer:?} was told {answer:?}, and {decided:?}"
                    );
                    continue;
                }
                Answer::Ended => {
                    assert!(racer.does == Move::Cancel && cancelled.is_none(), "{racer:?}");
                    continue;
                }
                Answer::NoVerdict => {
                    assert!(matches!(racer.does, Move::Resume | Move::Expire), "{racer:?} decided nothing");
                    continue;
                }
                Answer::Failed(error) => panic!("{racer:?} on `{}`: {error}", self.thread),
                Answer::Won | Answer::Lost { .. } | Answer::Expired => {}
            }
            let Some(decided) = decided else {
                panic!("{racer:?} was told {answer:?}, and nobody has decided")
            };
            let is_winner = decided.by == racer.name();
            match answer {
                Answer::Won => assert!(is_winner, "{racer:?} was told that it won, and {decided:?}"),
                Answer::Lost { by, verdict, at } => {
                    assert!(!is_winner, "{racer:?} was told that it lost, and {decided:?}");
                    let reported = (by, verdict, at);
                    assert_eq!(reported, (&decided.by, &decided.verdict, &decided.at), "{racer:?}");
                }
                Answer::Expired => {
                    assert_eq!(decided.by, "hitl", "{racer:?} was told that it expired, and {decided:?}");
                }
                Answer::Cancelled { .. } | Answer::Ended | Answer::NoVerdict | Answer::Failed(_) => {}
            }
        }
    }
}
