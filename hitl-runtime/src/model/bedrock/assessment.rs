//! Conversion of a guardrail's assessment, without the text that it found.

use aws_sdk_bedrockruntime::types::{
    GuardrailAssessment, GuardrailContentPolicyAction, GuardrailContextualGroundingPolicyAction,
    GuardrailSensitiveInformationPolicyAction, GuardrailTopicPolicyAction, GuardrailTraceAssessment,
    GuardrailWordPolicyAction,
};

use super::Guardrail;
use crate::model::{Action, Assessment, Finding, Policy, Stage};

/// Converts the trace of a response.
pub(super) fn of_a_trace(
    trace: Option<&GuardrailTraceAssessment>,
    guardrail: Option<&Guardrail>,
    said: &str,
) -> Assessment {
    let input = trace.and_then(|trace| trace.input_assessment.as_ref());
    let output = trace.and_then(|trace| trace.output_assessments.as_ref());
    let input = input.into_iter().flat_map(|by_guardrail| by_guardrail.values());
    let output = output.into_iter().flat_map(|by_guardrail| by_guardrail.values().flatten());
    assessment(
        guardrail,
        said,
        findings(Stage::Input, input).chain(findings(Stage::Answer, output)).collect(),
    )
}

/// Converts the result of a check of a text.
pub(super) fn of_a_check(
    assessments: &[GuardrailAssessment],
    guardrail: &Guardrail,
    stage: Stage,
    said: &str,
) -> Assessment {
    assessment(Some(guardrail), said, findings(stage, assessments.iter()).collect())
}

fn assessment(guardrail: Option<&Guardrail>, said: &str, findings: Vec<Finding>) -> Assessment {
    Assessment {
        guardrail: guardrail.map(|guardrail| guardrail.id().to_owned()),
        message: said.to_owned(),
        findings,
    }
}

fn findings<'a>(
    stage: Stage,
    assessments: impl Iterator<Item = &'a GuardrailAssessment>,
) -> impl Iterator<Item = Finding> {
    assessments
        .flat_map(|found| {
            [
                topics(found),
                contents(found),
                words(found),
                personal(found),
                grounding(found),
                reasoning(found),
            ]
        })
        .flatten()
        .map(move |(policy, name, action)| Finding { stage, policy, name, action })
}

type Found = Vec<(Policy, String, Action)>;

fn topics(found: &GuardrailAssessment) -> Found {
    let topics = found.topic_policy.iter().flat_map(|policy| &policy.topics);
    topics
        .map(|topic| {
            let blocked = topic.action == GuardrailTopicPolicyAction::Blocked;
            (Policy::Topic, topic.name.clone(), stopped(blocked))
        })
        .collect()
}

fn contents(found: &GuardrailAssessment) -> Found {
    let filters = found.content_policy.iter().flat_map(|policy| &policy.filters);
    filters
        .map(|filter| {
            let blocked = filter.action == GuardrailContentPolicyAction::Blocked;
            (Policy::Content, filter.r#type.as_str().to_owned(), stopped(blocked))
        })
        .collect()
}

/// Returns the findings of the word policy. The name of a custom word is left out, because it is part of the blocked
/// text.
fn words(found: &GuardrailAssessment) -> Found {
    let Some(policy) = &found.word_policy else { return Vec::new() };
    let own = policy.custom_words.iter().map(|word| ("CUSTOM", &word.action));
    let managed = policy.managed_word_lists.iter().map(|word| (word.r#type.as_str(), &word.action));
    own.chain(managed)
        .map(|(name, action)| {
            (Policy::Word, name.to_owned(), stopped(*action == GuardrailWordPolicyAction::Blocked))
        })
        .collect()
}

fn personal(found: &GuardrailAssessment) -> Found {
    let Some(policy) = &found.sensitive_information_policy else { return Vec::new() };
    let entities = policy.pii_entities.iter().map(|entity| (entity.r#type.as_str(), &entity.action));
    let patterns =
        policy.regexes.iter().map(|regex| (regex.name.as_deref().unwrap_or("regex"), &regex.action));
    entities
        .chain(patterns)
        .map(|(name, action)| {
            let action = match action {
                GuardrailSensitiveInformationPolicyAction::Blocked => Action::Blocked,
                GuardrailSensitiveInformationPolicyAction::Anonymized => Action::Masked,
                _ => Action::Noted,
            };
            (Policy::Personal, name.to_owned(), action)
        })
        .collect()
}

fn grounding(found: &GuardrailAssessment) -> Found {
    let filters = found.contextual_grounding_policy.iter().flat_map(|policy| policy.filters.iter().flatten());
    filters
        .map(|filter| {
            let blocked = filter.action == GuardrailContextualGroundingPolicyAction::Blocked;
            (Policy::Grounding, filter.r#type.as_str().to_owned(), stopped(blocked))
        })
        .collect()
}

/// Returns the findings of automated reasoning. They are always [`Action::Noted`]: this policy blocks nothing by
/// itself.
fn reasoning(found: &GuardrailAssessment) -> Found {
    use aws_sdk_bedrockruntime::types::GuardrailAutomatedReasoningFinding as Reasoned;
    let findings =
        found.automated_reasoning_policy.iter().flat_map(|policy| policy.findings.iter().flatten());
    findings
        .map(|finding| match finding {
            Reasoned::Valid(_) => "valid",
            Reasoned::Invalid(_) => "invalid",
            Reasoned::Satisfiable(_) => "satisfiable",
            Reasoned::Impossible(_) => "impossible",
            Reasoned::TranslationAmbiguous(_) => "ambiguous",
            Reasoned::TooComplex(_) => "too complex",
            Reasoned::NoTranslations(_) => "not translated",
            _ => "unknown",
        })
        .map(|name| (Policy::Reasoning, name.to_owned(), Action::Noted))
        .collect()
}

fn stopped(blocked: bool) -> Action {
    if blocked { Action::Blocked } else { Action::Noted }
}
