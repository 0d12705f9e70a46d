//! Serialization of entries from borrowed data. The JSON is the same as that of [`Entry`] and [`Event`].

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::{Entry, Event, LaneId, Lease, ROOT, Timestamp, Transition, Usage};

/// The serialized form of an [`Entry`].
#[derive(Serialize)]
pub(crate) struct EntryRef<'a> {
    #[serde(rename = "at")]
    pub(crate) at: Timestamp,
    #[serde(rename = "is")]
    pub(crate) event: EventRef<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lease: Option<&'a Lease>,
    #[serde(skip_serializing_if = "<[Usage]>::is_empty")]
    pub(crate) spent: &'a [Usage],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) snapshot: Option<&'a RawValue>,
}

/// The serialized form of an [`Event`].
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum EventRef<'a> {
    Event(&'a Event),
    /// An [`Event::Ran`] without copies, because most entries are of this kind.
    Ran {
        ran: NodeResultRef<'a>,
    },
}

#[derive(Serialize)]
pub(crate) struct NodeResultRef<'a> {
    pub(crate) node: &'a str,
    #[serde(skip_serializing_if = "is_root")]
    pub(crate) lane: LaneId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<u32>,
    #[serde(serialize_with = "as_map")]
    pub(crate) wrote: FieldWrites<'a>,
    pub(crate) to: &'a Transition,
}

/// The fields that a node wrote, sorted by name.
pub(crate) type FieldWrites<'a> = &'a [(&'static str, Box<RawValue>)];

impl EntryRef<'_> {
    /// Appends the JSON of the entry. That of a [`EventRef::Ran`], the most frequent entry, is put together from its
    /// parts, because a derived serializer takes several times as long for it.
    ///
    /// # Errors
    /// If a part has no JSON.
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        let Self { at, event: EventRef::Ran { ran }, lease, spent, snapshot } = self else {
            return serde_json::to_writer(out, self);
        };
        member(out, r#"{"at":"#, at)?;
        member(out, r#","is":{"ran":{"node":"#, ran.node)?;
        if !is_root(&ran.lane) {
            member(out, r#","lane":"#, &ran.lane)?;
        }
        if let Some(run) = ran.run {
            member(out, r#","run":"#, &run)?;
        }
        out.extend_from_slice(br#","wrote":{"#);
        for (i, (field, json)) in ran.wrote.iter().enumerate() {
            member(out, if i > 0 { "," } else { "" }, field)?;
            out.push(b':');
            out.extend_from_slice(json.get().as_bytes());
        }
        member(out, r#"},"to":"#, ran.to)?;
        out.extend_from_slice(b"}}");
        if let Some(lease) = lease {
            member(out, r#","lease":"#, lease)?;
        }
        if !spent.is_empty() {
            member(out, r#","spent":"#, spent)?;
        }
        if let Some(snapshot) = snapshot {
            out.extend_from_slice(br#","snapshot":"#);
            out.extend_from_slice(snapshot.get().as_bytes());
        }
        out.push(b'}');
        Ok(())
    }

    /// Returns whether the entry is an [`Event::Ran`].
    pub(crate) fn is_ran(&self) -> bool {
        matches!(self.event, EventRef::Ran { .. } | EventRef::Event(Event::Ran { .. }))
    }
}

impl<'a> From<&'a Entry> for EntryRef<'a> {
    fn from(Entry { at, event, lease, spent, snapshot }: &'a Entry) -> Self {
        let (event, snapshot) = (EventRef::Event(event), snapshot.as_deref());
        Self { at: *at, event, lease: lease.as_ref(), spent, snapshot }
    }
}

fn member<T: Serialize + ?Sized>(out: &mut Vec<u8>, name: &str, value: &T) -> Result<(), serde_json::Error> {
    out.extend_from_slice(name.as_bytes());
    serde_json::to_writer(out, value)
}

fn is_root(lane: &LaneId) -> bool {
    *lane == ROOT
}

fn as_map<S: Serializer>(wrote: FieldWrites<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(wrote.iter().map(|(field, json)| (field, json)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn borrowed_entries_serialize_like_owned_ones() {
        for text in [
            r#"{"at":1,"is":{"ran":{"node":"draft","wrote":{"plan":"refund it","risk":3},"to":"pay"}}}"#,
            r#"{"at":6,"is":{"ran":{"node":"plan","run":2,"wrote":{},"to":"pay"}}}"#,
            r#"{"at":2,"is":{"ran":{"node":"check","lane":1,"run":1,"wrote":{},"to":{"join":{}}}},"lease":{"by":"5f3a","until":9}}"#,
            r#"{"at":5,"is":{"ran":{"node":"\"é\"","lane":7,"wrote":{"plan":"\"","risk":[]},"to":"a \"b\""}}}"#,
            r#"{"at":4,"is":{"ran":{"node":"b","wrote":{},"to":"end"}},"spent":[{"model":"m","in":3,"ms":9}]}"#,
            r#"{"at":3,"is":{"ran":{"node":"a","wrote":{},"to":{"fork":{"heads":["b","c"],"join":"end"}}}},"snapshot":{"lanes":{}}}"#,
        ] {
            let entry: Entry = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&entry).unwrap(), text);
            assert_eq!(serde_json::to_string(&EntryRef::from(&entry)).unwrap(), text);

            let Event::Ran { node, lane, run, wrote, to } = &entry.event else { unreachable!() };
            let names = ["plan", "risk"];
            let wrote: Vec<_> = names.into_iter().zip(wrote.values().cloned()).collect();
            let event =
                EventRef::Ran { ran: NodeResultRef { node, lane: *lane, run: *run, wrote: &wrote, to } };
            let ran = EntryRef { event, ..EntryRef::from(&entry) };
            assert_eq!(serde_json::to_string(&ran).unwrap(), text);
            for entry in [ran, EntryRef::from(&entry)] {
                let mut written = Vec::new();
                entry.write(&mut written).unwrap();
                assert_eq!(String::from_utf8(written).unwrap(), text);
            }
        }
    }
}
