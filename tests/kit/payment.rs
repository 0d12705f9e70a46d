//! A payment that a clerk signs if it is small, and a director if it is large.

use hitl::prelude::*;

use super::world::World;

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Draft {
    #[garde(range(max = 1_000_000))]
    pub cents: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Size {
    Small,
    Large,
}

#[state]
pub struct Case {
    #[input]
    pub cents: u32,
    pub draft: Draft,
    pub size: Size,
    #[output]
    pub outcome: String,
}

#[node(Case, writes = draft)]
pub async fn propose(cents: u32) -> Result<Draft> {
    Ok(Draft { cents })
}

/// Fails while the world is down.
#[node(Case, writes = size)]
pub async fn measure(draft: &Draft, world: Deps<World>) -> Result<Size> {
    world.look()?;
    Ok(if draft.cents > world.limit() { Size::Large } else { Size::Small })
}

#[interrupt_before(role = "clerk", expires = "24h")]
#[node(Case, writes = outcome, effect)]
pub async fn pay_small(draft: &Approved<Draft>, world: Deps<World>, cx: &Cx) -> Result<String> {
    pay("small", draft, &world, cx).await
}

#[interrupt_before(role = "director", expires = "24h")]
#[node(Case, writes = outcome, effect)]
pub async fn pay_large(draft: &Approved<Draft>, world: Deps<World>, cx: &Cx) -> Result<String> {
    pay("large", draft, &world, cx).await
}

/// Pays as the operator who signed the draft, in the role that the review required.
pub async fn pay(size: &str, draft: &Approved<Draft>, world: &World, cx: &Cx) -> Result<String> {
    let (role, by) = (draft.role().unwrap_or("nobody"), draft.signer());
    world.call(&format!("{size} {} by {role} {by}", draft.cents), cx.idempotency_key()).await
}

#[node(Case, writes = outcome)]
pub async fn cancel(rejection: &Rejection) -> Result<String> {
    Ok(rejection.reason.to_string())
}

graph! {
    pub Payer<Case, World> {
        start -> propose -> measure -> match size { Size::Small => pay_small, Size::Large => pay_large };
        pay_small -> end;
        pay_large -> end;
        pay_small { reject -> cancel }
        pay_large { reject -> cancel }
        cancel -> end;
    }
}
