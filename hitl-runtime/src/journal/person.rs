//! People, as far as the journal tells one from another.

use serde::{Deserialize, Serialize};

use super::{Evidence, Requester};
use crate::{Operator, unicode};

/// A person: a name, and the subject of their token if they showed one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) unverified: bool,
    #[serde(flatten)]
    pub(super) subject: Option<TokenSubject>,
}

/// The subject of a token, which is unique among those of its issuer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TokenSubject {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) issuer: Option<String>,
    pub(crate) subject: String,
}

impl TokenSubject {
    /// Returns the subject that evidence names.
    pub(crate) fn of(evidence: Option<&Evidence>) -> Option<Self> {
        let evidence = evidence?;
        Some(Self { issuer: evidence.issuer.clone(), subject: evidence.subject.clone()? })
    }
}

impl Person {
    /// Creates a person from a name, and the subject of their token.
    pub(crate) fn new(name: &str, unverified: bool, subject: Option<TokenSubject>) -> Self {
        Self { name: name.to_owned(), unverified, subject }
    }

    /// Creates the person of an act, as its entry describes them.
    pub(crate) fn of_act(name: &str, unverified: bool, evidence: Option<&Evidence>) -> Self {
        Self::new(name, unverified, TokenSubject::of(evidence))
    }

    /// Returns whether both are certainly different people: their tokens have different subjects of one issuer, or, if
    /// neither has a token, they have different names, both verified or both only claimed. A name proves nothing against a
    /// token, and the subjects of two issuers, or of one that is not known, cannot be compared.
    pub(crate) fn is_other_than(&self, other: &Self) -> bool {
        match (&self.subject, &other.subject) {
            (Some(one), Some(other)) => {
                one.issuer.is_some() && one.issuer == other.issuer && one.subject != other.subject
            }
            (None, None) => {
                self.unverified == other.unverified && !unicode::looks_like(&self.name, &other.name)
            }
            _ => false,
        }
    }
}

impl From<&Requester> for Person {
    fn from(requester: &Requester) -> Self {
        Self::of_act(&requester.operator, requester.unverified, requester.evidence.as_deref())
    }
}

impl From<&Operator> for Person {
    fn from(operator: &Operator) -> Self {
        Self::of_act(operator.name(), operator.is_unverified(), operator.evidence())
    }
}

/// The people who have asked for what a thread does: who started it, and who started the threads that it was forked from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Requesters {
    /// The person who started the thread, or forked it. `None` if the journal does not say who did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started: Option<Person>,
    /// The people who started the threads that this one was forked from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    before: Vec<Person>,
    /// `true` if it is not known who started one of those threads, or under which subject.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    has_unknown: bool,
}

impl Requesters {
    /// Returns the requesters of a new thread.
    pub(crate) fn of(requester: Option<&Requester>) -> Self {
        Self { started: requester.map(Person::from), ..Self::default() }
    }

    /// Returns the requesters of a fork of their thread.
    pub(crate) fn with_fork(self, forked_by: Option<&Requester>) -> Self {
        let Self { started, mut before, has_unknown } = self;
        let has_unknown = has_unknown || started.is_none();
        before.extend(started.filter(|person| !before.contains(person)));
        Self { started: forked_by.map(Person::from), before, has_unknown }
    }

    /// Returns the requesters of a thread of which an older version of hitl kept one name.
    pub(super) fn named(name: String) -> Self {
        Self { started: Some(Person::new(&name, false, None)), before: Vec::new(), has_unknown: true }
    }

    /// Returns the requesters of a fork, whose snapshot says who they are, with the one that its first entry names. The
    /// snapshot alone does not prove who forked the thread.
    pub(super) fn with_entry(self, requester: Option<&Requester>) -> Self {
        let has_unknown = self.has_unknown || requester.is_none() && self.started.is_some();
        Self { started: requester.map(Person::from).or(self.started), has_unknown, ..self }
    }

    /// Returns the name of the person who started the thread.
    pub(crate) fn name(&self) -> Option<&str> {
        self.started.as_ref().map(|person| person.name.as_str())
    }

    /// Returns whether it is known who all of them are.
    pub(crate) fn are_known(&self) -> bool {
        self.started.is_some() && !self.has_unknown
    }

    /// Returns whether a person may be one of them. `None` if nothing says that they are, and not all of them are known.
    pub(crate) fn may_include(&self, person: &Person) -> Option<bool> {
        let is_other = self.started.iter().chain(&self.before).all(|known| known.is_other_than(person));
        if is_other && !self.are_known() { None } else { Some(!is_other) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str, issuer: &str, subject: &str) -> Person {
        let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let subject = known(subject).map(|subject| TokenSubject { issuer: known(issuer), subject });
        Person::new(name, false, subject)
    }

    fn claimed(name: &str) -> Person {
        Person::new(name, true, None)
    }

    #[test]
    fn what_cannot_be_compared_is_no_other_person() {
        let mara = person("mara", "a", "1");
        let named = person("mara", "", "");
        for (one, other, is_other) in [
            (&mara, person("mara", "a", "2"), true),
            (&mara, person("mara b.", "a", "1"), false),
            // Subjects of two issuers, or of one that is not known.
            (&mara, person("noor", "b", "2"), false),
            (&mara, person("noor", "", "2"), false),
            (&person("mara", "", "1"), person("noor", "", "2"), false),
            // A token and a name.
            (&mara, person("noor", "", ""), false),
            (&named, person("noor", "a", "2"), false),
            // Names, as a reader of the journal sees them.
            (&named, person("noor", "", ""), true),
            (&named, person("Mara", "", ""), false),
            (&named, person("mar\u{430}", "", ""), false),
            // A name that was only claimed proves nothing about one that was checked.
            (&named, claimed("noor"), false),
            (&claimed("mara"), claimed("noor"), true),
        ] {
            assert_eq!(one.is_other_than(&other), is_other, "{one:?} {other:?}");
            assert_eq!(other.is_other_than(one), is_other, "{other:?} {one:?}");
        }
    }

    #[test]
    fn a_fork_has_the_requesters_of_both_threads() {
        let started =
            |name: &str| Requesters { started: Some(person(name, "", "")), ..Requesters::default() };
        let noor: Requester = serde_json::from_str(r#"{"operator": "noor"}"#).unwrap();
        let both = started("mara").with_fork(Some(&noor));
        assert_eq!(both.name(), Some("noor"));
        let says =
            |of: &Requesters| ["mara", "noor", "ana"].map(|name| of.may_include(&person(name, "", "")));
        assert_eq!(says(&both), [Some(true), Some(true), Some(false)]);
        assert_eq!(says(&started("mara").with_fork(None)), [Some(true), None, None]);
        assert_eq!(says(&Requesters::default().with_fork(Some(&noor))), [None, Some(true), None]);
        assert_eq!(says(&Requesters::named("mara".to_owned())), [Some(true), None, None]);
        let json = serde_json::to_string(&both).unwrap();
        assert_eq!(serde_json::from_str::<Requesters>(&json).unwrap(), both, "{json}");
    }
}
