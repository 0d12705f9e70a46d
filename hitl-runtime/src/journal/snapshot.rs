//! Snapshots: the state of a whole thread in one entry, so that a resume need not read older entries.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize, Serializer, de::IgnoredAny};
use serde_json::value::RawValue;

use super::fork_join::view_of;
use super::{
    BranchWrite, Each, Entry, Event, Fold, FoldError, Lane, LaneId, LaneState, Lease, Pending, Requesters,
    Runs, Signature, Sources, Stop, Values, entry, proposal::SourcesRef,
};
use crate::state::Slots;

/// The JSON of a [`Fold`] in a snapshot, to be read.
#[derive(Deserialize)]
struct SnapshotData {
    graph: String,
    print: String,
    #[serde(default = "entry::first")]
    version: u32,
    id: String,
    lanes: BTreeMap<LaneId, LaneSnapshot>,
    made: LaneId,
    steps: u64,
    /// `true` if the lanes have their `sources`, which snapshots of an older version of hitl do not have.
    #[serde(default)]
    sourced: bool,
    #[serde(default)]
    requester: Option<String>,
    /// `None` in snapshots of an older version of hitl.
    #[serde(default)]
    requesters: Option<Requesters>,
    #[serde(default)]
    lease: Option<Lease>,
    #[serde(default)]
    stop: Option<Box<Stop>>,
    /// See [`Fold::is_fork`].
    #[serde(default)]
    forked: bool,
    /// `true` if it says about which values a person has been asked, and whether the thread is a fork. Snapshots of an
    /// older version of hitl do not.
    #[serde(default)]
    asks: bool,
}

#[derive(Deserialize)]
struct LaneSnapshot {
    /// The field values. For an item of a `for`, only those that differ from the values of the parent lane.
    fields: Values,
    #[serde(default)]
    signatures: BTreeMap<String, Signature>,
    #[serde(default)]
    wrote: Vec<BranchWrite>,
    #[serde(default)]
    parent: Option<LaneId>,
    at: LaneState,
    #[serde(default)]
    sources: Sources,
    #[serde(default)]
    pending: Option<Box<Pending>>,
    /// For an item of a `for`: see [`Lane::steps`].
    #[serde(default)]
    steps: u64,
    #[serde(default)]
    runs: Runs,
}

/// A [`SnapshotData`] to be written, without copies: a thread may have thousands of lanes.
#[derive(Serialize)]
struct SnapshotRef<'a> {
    graph: &'a str,
    print: &'a str,
    #[serde(skip_serializing_if = "entry::is_first")]
    version: u32,
    id: &'a str,
    #[serde(serialize_with = "as_map")]
    lanes: Vec<(LaneId, LaneRef<'a>)>,
    made: LaneId,
    steps: u64,
    sourced: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    requester: Option<&'a str>,
    requesters: &'a Requesters,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease: Option<&'a Lease>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<&'a Stop>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    forked: bool,
    asks: bool,
}

/// A [`LaneSnapshot`] to be written.
#[derive(Serialize)]
struct LaneRef<'a> {
    #[serde(serialize_with = "as_map")]
    fields: Vec<(&'static str, &'a RawValue)>,
    #[serde(skip_serializing_if = "is_unsigned")]
    signatures: &'a BTreeMap<String, Signature>,
    #[serde(skip_serializing_if = "<[BranchWrite]>::is_empty")]
    wrote: &'a [BranchWrite],
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<LaneId>,
    at: &'a LaneState,
    #[serde(skip_serializing_if = "SourcesRef::is_empty")]
    sources: SourcesRef<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<&'a Pending>,
    #[serde(skip_serializing_if = "is_zero")]
    steps: u64,
    #[serde(skip_serializing_if = "Runs::is_empty")]
    runs: &'a Runs,
}

fn is_unsigned(signatures: &BTreeMap<String, Signature>) -> bool {
    signatures.is_empty()
}

fn as_map<K: Serialize, V: Serialize, S: Serializer>(
    members: &[(K, V)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(members.iter().map(|(key, value)| (key, value)))
}

fn is_zero(steps: &u64) -> bool {
    *steps == 0
}

impl Fold {
    /// Returns a snapshot of the current state.
    pub(crate) fn to_snapshot(&self) -> Result<Box<RawValue>, FoldError> {
        let mut lanes = Vec::with_capacity(self.lanes.len());
        for (id, lane) in self.lanes.iter() {
            let each = self.each_around(lane);
            let own = |field: &str| {
                each.is_none_or(|each| each.item == field || lane.wrote.iter().any(|a| a.field == field))
            };
            let frozen = LaneRef {
                fields: lane.fields.raw_values(own)?,
                signatures: &lane.signatures,
                wrote: &lane.wrote,
                parent: lane.parent,
                at: &lane.at,
                sources: lane.sources.within(each.map(|each| each.head.as_str())),
                pending: lane.pending.as_deref(),
                steps: lane.steps,
                runs: &lane.runs,
            };
            lanes.push((*id, frozen));
        }
        let frozen = SnapshotRef {
            graph: &self.graph,
            print: &self.print,
            version: self.version,
            id: &self.id,
            lanes,
            made: self.lanes_made,
            steps: self.steps,
            sourced: true,
            requester: self.requesters.name(),
            requesters: &self.requesters,
            lease: self.lease.as_ref(),
            stop: self.stop.as_deref(),
            forked: self.is_fork,
            asks: true,
        };
        serde_json::value::to_raw_value(&frozen).map_err(|e| FoldError::Damaged(e.to_string()))
    }

    /// Forgets what a snapshot of an older version of hitl does not say.
    pub(super) fn forget_unsaid(&mut self, snapshot: &RawValue) {
        #[derive(Deserialize)]
        struct Marked {
            #[serde(default)]
            asks: bool,
            #[serde(default)]
            requesters: Option<IgnoredAny>,
        }
        let marked = serde_json::from_str::<Marked>(snapshot.get()).ok();
        if !marked.as_ref().is_some_and(|marked| marked.asks) {
            self.let_no_rule_sign();
        }
        if marked.is_none_or(|marked| marked.requesters.is_none()) {
            self.forget_people();
        }
    }

    /// Lets no rule sign in the thread, because it is not known about which values a person has been asked.
    fn let_no_rule_sign(&mut self) {
        self.is_fork = true;
        self.lanes.values_mut().for_each(|lane| lane.sources.forget_asked());
    }

    /// Keeps only the names of the people who started the thread, signed and proposed.
    fn forget_people(&mut self) {
        self.requesters = Arc::new(
            self.requesters.name().map(|name| Requesters::named(name.to_owned())).unwrap_or_default(),
        );
        for lane in self.lanes.values_mut() {
            if let Some(pending) = &mut lane.pending {
                pending.subject = None;
            }
            if lane.signatures.values().any(|signature| signature.by_requester.is_some()) {
                let signatures = Arc::make_mut(&mut lane.signatures);
                signatures.values_mut().for_each(|signature| signature.by_requester = None);
            }
        }
    }

    /// Returns the `for` that the lane is an item of, if it is one.
    fn each_around(&self, lane: &Lane) -> Option<&Each> {
        self.lanes.get(&lane.parent?)?.at.each()
    }

    /// Restores the state from a snapshot.
    pub(crate) fn restore(&mut self, snapshot: &RawValue) -> Result<(), FoldError> {
        let frozen: SnapshotData = serde_json::from_str(snapshot.get())
            .map_err(|e| FoldError::Damaged(format!("its snapshot cannot be read: {e}")))?;
        self.graph = frozen.graph;
        self.print = frozen.print;
        self.version = frozen.version;
        self.id = frozen.id.into();
        self.lanes.clear();
        let sourced = frozen.sourced;
        // The first node of the items of each `for`.
        let mut heads: BTreeMap<LaneId, String> = BTreeMap::new();
        // The values that the items of each `for` see.
        let mut views: BTreeMap<LaneId, Slots> = BTreeMap::new();
        // Parents come before their children, because lanes are numbered in the order of their creation.
        for (id, frozen) in frozen.lanes {
            let own = self.updated(&frozen.fields)?;
            let view = frozen.parent.filter(|_| frozen.at != LaneState::Joined).and_then(|id| views.get(&id));
            let mut fields = view.unwrap_or(&self.unwritten).clone();
            own.iter().try_for_each(|(field, json)| fields.replace(field, json.get()))?;
            let mut lane = Lane::new(Arc::new(fields), frozen.parent, frozen.at);
            lane.signatures = frozen.signatures.into();
            lane.wrote = self.updated_arrivals(frozen.wrote)?;
            lane.pending = frozen.pending;
            lane.steps = frozen.steps;
            lane.runs = frozen.runs;
            if sourced {
                lane.sources = self.updated_sources(frozen.sources, &frozen.fields)?;
                let each = lane.parent.filter(|_| lane.at != LaneState::Joined).and_then(|id| heads.get(&id));
                lane.sources.begin_at(each.map(String::as_str));
            }
            if self.is_older() {
                lane.keep(&frozen.fields);
            }
            if let Some(each) = lane.at.each() {
                let each = self.updated_each(each, &lane)?.into_owned();
                views.insert(id, view_of(&each, &lane));
                heads.insert(id, each.head.clone());
                lane.at = LaneState::Looping { each: Box::new(each) };
            }
            let is_away = lane.at != LaneState::Joined;
            if let Some(parent) = lane.parent {
                let missing = || FoldError::Damaged(format!("lane {id} of its snapshot came out of no lane"));
                let parent = self.lanes.get_mut(parent).ok_or_else(missing)?;
                parent.away += usize::from(is_away);
                parent.branches.push(id);
            }
            self.lanes.insert(id, lane);
        }
        self.lanes_made = frozen.made;
        self.steps = frozen.steps;
        let named = || frozen.requester.map(Requesters::named).unwrap_or_default();
        self.requesters = Arc::new(frozen.requesters.unwrap_or_else(named));
        self.lease = frozen.lease;
        self.stop = frozen.stop;
        self.is_fork = frozen.forked;
        if !frozen.asks {
            self.let_no_rule_sign();
        }
        // A name in an older version of the state whose present one is not known.
        let is_unknown = |field: &str| self.state.spec.field(field).is_none();
        self.is_fork |= self.lanes.values().any(|lane| lane.sources.asked_fields().any(is_unknown));
        self.lanes.reindex();
        Ok(())
    }
}

/// Returns the name of a thread's graph, read from the first entry of the thread's tail.
pub(crate) fn graph_of(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        graph: String,
    }
    let entry: Entry = serde_json::from_slice(body).ok()?;
    match (entry.event, entry.snapshot) {
        (Event::Started { graph, .. }, _) => Some(graph),
        (_, Some(snapshot)) => serde_json::from_str::<Named>(snapshot.get()).ok().map(|named| named.graph),
        (_, None) => None,
    }
}
