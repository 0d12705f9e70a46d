//! The words of the macros' own syntax, for the completion of an editor. Generated code names them where only an editor
//! sees it.
#![allow(non_upper_case_globals)]

/// Declares the words of one place.
macro_rules! words {
    ($(#[$doc:meta])* $place:ident { $($(#[$word_doc:meta])* $word:ident;)* }) => {
        $(#[$doc])*
        pub mod $place {
            $($(#[$word_doc])* pub const $word: () = ();)*
        }
    };
}

words! {
    /// The arguments of `#[node]`.
    node {
        /// The field that the function returns, or several: `writes = plan`, `writes = (plan, notes)`.
        writes;
        /// It changes the world, so a person signs before it runs, unless `risk = low`.
        effect;
        /// An effect that may run twice with one idempotency key.
        idempotent;
        /// An effect that needs no signature, `risk = low`, or the risk of one that does: `risk = high`.
        risk;
        /// The number of retries after a failure: `retries = 3`.
        retries;
        /// The wait before the first retry: `backoff = "1s"`.
        backoff;
        /// The limit for each attempt: `timeout = "30s"`.
        timeout;
    }
}

words! {
    /// The arguments of `#[interrupt_before]`.
    interrupt_before {
        /// The role that an operator must hold: `role = "refund-approver"`.
        role;
        /// The time that the review stays open: `expires = "24h"`.
        expires;
        /// The interval of reminders while the review is open: `remind = "4h"`.
        remind;
        /// The field that is signed, if the node takes several as `&Approved<…>`: `review = draft`.
        review;
        /// `edit = false`: the draft cannot be edited.
        edit;
        /// Later effects that run on the same signature: `covers = (hold, wire)`.
        covers;
        /// Fields that are shown beside the draft and signed with it: `show = (iban)`.
        show;
        /// Fields that are read although they are not signed: `unsigned(message)`.
        unsigned;
        /// The risk of the action, which is shown: `risk = high`. A person always signs one of high risk.
        risk;
        /// `reversible = false`: the action cannot be undone.
        reversible;
        /// `not = requester`: the person who started the thread may not sign.
        not;
        /// The condition under which a person is asked: `when = draft.amount > 100.0`. If it is false, the rule signs.
        when;
    }
}

words! {
    /// The edges of a verdict block in `graph!`.
    verdict {
        /// The edge after a rejection: `reject -> cancel`.
        reject;
        /// The edge after a question: `ask -> draft`.
        ask;
        /// The edge after the deadline of the review: `expire -> escalate`.
        expire;
    }
}
