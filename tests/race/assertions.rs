//! The assertions after a race.

use std::collections::BTreeMap;

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
        for (review, decided) in (0..).zip(race.decided(agent).await.unwrap()) {
            race.assert_answers(review, &decided);
            let done = effects.remove(&(race.thread.clone(), decided.node.clone())).unwrap_or(0);
            let signed = matches!(decided.verdict.as_str(), "approve" | "edit");
            assert_eq!(
                done,
                usize::from(signed),
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
    async fn decided<G: Graph>(&self, agent: &Agent<G>) -> Result<Vec<Decided>, Error> {
        let thread = ThreadId::new(&self.thread)?;
        let mut wrong = agent.audit(&thread, None).await?.findings;
        // The clocks of the late racers are a day ahead.
        wrong.retain(|finding| finding.kind != FindingKind::Time);
        assert_eq!(wrong, [], "`{thread}`");
        let mut decided: BTreeMap<Digest, Decided> = BTreeMap::new();
        let mut asked = false;
        for entry in agent.history(&thread, 0, 1000).await? {
            let Event::Decided { node, verdict, operator, digest, .. } = entry.event else { continue };
            let verdict = verdict.name().to_owned();
            asked |= verdict == "ask";
            let this = Decided { node, verdict, by: operator, at: entry.at };
            let before = decided.insert(digest, this);
            assert!(before.is_none(), "`{thread}` was decided twice: {before:?}, {:?}", decided[&digest]);
        }
        // No runner holds the thread, and it has gone as far as it can without another person.
        let view = agent.view(thread.clone()).await?;
        assert!(
            view.standing == ThreadStatus::Ended || (asked && view.standing == ThreadStatus::Waiting),
            "{view:?}"
        );
        let one =
            |review| decided.remove(review).unwrap_or_else(|| panic!("`{thread}`: no verdict on {review}"));
        Ok(self.reviews.iter().map(one).collect())
    }

    /// Asserts that the winner was told that it won, and the others who won, with which verdict and when.
    fn assert_answers(&self, review: usize, decided: &Decided) {
        for (racer, answers) in &self.answers {
            let is_winner = decided.by == racer.name();
            match &answers[review] {
                Answer::Won => assert!(is_winner, "{racer:?} was told that it won, and {decided:?}"),
                Answer::Lost { by, verdict, at } => {
                    assert!(!is_winner, "{racer:?} was told that it lost, and {decided:?}");
                    let reported = (by, verdict, at);
                    assert_eq!(reported, (&decided.by, &decided.verdict, &decided.at), "{racer:?}");
                }
                Answer::Expired => {
                    assert_eq!(decided.by, "hitl", "{racer:?} was told that it expired, and {decided:?}");
                }
                Answer::Failed(error) => panic!("{racer:?} on `{}`: {error}", self.thread),
                Answer::NoVerdict => {
                    assert!(matches!(racer.does, Move::Resume | Move::Expire), "{racer:?} decided nothing");
                }
            }
        }
    }
}
