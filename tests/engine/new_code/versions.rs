//! Later versions of `Refunds`, each with its migration from the earlier ones.

/// `execute` renamed to `pay`, with a node `file` after it.
pub mod renamed {
    use hitl::prelude::*;

    use super::super::v1::{self, Draft, Ticket, World, cancel, draft, plan};

    #[interrupt_before(role = "approver", expires = "24h")]
    #[node(Ticket, writes = outcome, effect)]
    async fn pay(draft: &Approved<Draft>, world: Deps<World>, cx: &Cx) -> Result<String> {
        v1::refund(draft, &world, cx).await
    }

    #[node(Ticket)]
    async fn file(draft: &Draft, outcome: &str) -> Result<()> {
        println!("{}: {outcome}", draft.order);
        Ok(())
    }

    graph! {
        pub Refunds<Ticket, World> {
            start -> plan -> draft -> pay -> file -> end;
            pay { reject -> cancel, ask -> draft }
            cancel -> end;
            renamed execute -> pay;
        }
    }
}

/// `execute`, later `pay`, renamed to `refund`.
pub mod renamed_again {
    use hitl::prelude::*;

    use super::super::v1::{self, Draft, Ticket, World, cancel, draft, plan};

    #[interrupt_before(role = "approver", expires = "24h")]
    #[node(Ticket, writes = outcome, effect)]
    async fn refund(draft: &Approved<Draft>, world: Deps<World>, cx: &Cx) -> Result<String> {
        v1::refund(draft, &world, cx).await
    }

    graph! {
        pub Refunds<Ticket, World> {
            start -> plan -> draft -> refund -> end;
            refund { reject -> cancel, ask -> draft }
            cancel -> end;
            renamed execute -> refund;
            renamed pay -> refund;
        }
    }
}

/// The same nodes and fields; only a rejection now leads to a further node, `note`.
pub mod rewired {
    use hitl::prelude::*;

    use super::super::v1::{Ticket, World, cancel, draft, execute, plan};

    #[node(Ticket)]
    async fn note(outcome: &str) -> Result<()> {
        println!("{outcome}");
        Ok(())
    }

    graph! {
        pub Refunds<Ticket, World> {
            start -> plan -> draft -> execute -> end;
            execute { reject -> cancel, ask -> draft }
            cancel -> note -> end;
        }
    }
}

/// The second version of the state: a new field `language`, `plan` renamed to `scheme`, and `draft` renamed to
/// `proposal`, in cents.
pub mod v2 {
    use hitl::{journal::Map, prelude::*};

    pub use super::super::v1::World;

    #[draft]
    #[derive(Clone, Debug, PartialEq, Validate)]
    pub struct Proposal {
        #[garde(pattern(r"^A-[0-9]{4}$"))]
        pub order: String,
        #[garde(range(max = 50_000))]
        pub cents: u64,
    }

    #[state(version = 2, migrate = migrate)]
    pub struct Ticket {
        #[input]
        pub message: String,
        pub language: String,
        pub scheme: String,
        pub proposal: Proposal,
        #[output]
        pub outcome: String,
    }

    fn rename(fields: &mut Map, old: &str, new: &str) {
        if let Some(value) = fields.remove(old) {
            fields.insert(new.to_owned(), value);
        }
    }

    fn migrate(from: u32, fields: &mut Map) -> Result<()> {
        assert_eq!(from, 1, "only version 1 exists");
        if fields.contains_key("message") {
            fields.insert("language".into(), "en".into());
        }
        rename(fields, "plan", "scheme");
        if let Some(draft) = fields.get_mut("draft").and_then(|draft| draft.as_object_mut()) {
            let dollars = draft.remove("dollars").and_then(|dollars| dollars.as_u64());
            let dollars = dollars.ok_or_else(|| NodeError::msg("a draft without dollars"))?;
            draft.insert("cents".into(), (dollars * 100).into());
        }
        rename(fields, "draft", "proposal");
        Ok(())
    }

    #[node(Ticket, writes = (language, scheme))]
    async fn plan(message: &str) -> Result<(String, String)> {
        Ok(("de".to_owned(), format!("refund {message}")))
    }

    #[node(Ticket, writes = proposal)]
    async fn draft(scheme: &str, question: Option<&Question>) -> Result<Proposal> {
        let cents = if question.is_some() { 9_900 } else { 14_900 };
        Ok(Proposal { order: scheme.split_whitespace().last().unwrap_or_default().to_owned(), cents })
    }

    #[interrupt_before(role = "approver", expires = "24h", unsigned(language))]
    #[node(Ticket, writes = outcome, effect)]
    async fn execute(
        proposal: &Approved<Proposal>,
        language: &str,
        world: Deps<World>,
        cx: &Cx,
    ) -> Result<String> {
        world.call(&format!("{} {} {language}", proposal.order, proposal.cents), cx.idempotency_key()).await
    }

    #[node(Ticket, writes = outcome)]
    async fn cancel(rejection: &Rejection) -> Result<String> {
        Ok(format!("{}: {}", rejection.reason, rejection.draft))
    }

    graph! {
        pub Refunds<Ticket, World> {
            start -> plan -> draft -> execute -> end;
            execute { reject -> cancel, ask -> draft }
            cancel -> end;
        }
    }
}
