//! Conversion of a guardrail's assessment, without the text that was found.

use aws_sdk_bedrockruntime::types::{
    GuardrailAssessment, GuardrailContentPolicyAction, GuardrailContextualGroundingPolicyAction,
    GuardrailSensitiveInformationPolicyAction, GuardrailTopicPolicyAction, GuardrailTraceAssessment,
    GuardrailWordPolicyAction,
};

use super::Guardrail;
use crate::model::{Assessment, ContentSource, GuardrailAction, GuardrailFinding, GuardrailPolicy};

/// Converts the trace of a response.
pub(super) fn from_trace(
    trace: Option<&GuardrailTraceAssessment>,
    guardrail: Option<&Guardrail>,
    message: &str,
) -> Assessment {
    let input = trace.and_then(|trace| trace.input_assessment.as_ref());
    let output = trace.and_then(|trace| trace.output_assessments.as_ref());
    let input = input.into_iter().flat_map(|by_guardrail| by_guardrail.values());
    let output = output.into_iter().flat_map(|by_guardrail| by_guardrail.values().flatten());
    assessment(
        guardrail,
        message,
        findings(ContentSource::Input, input).chain(findings(ContentSource::Output, output)).collect(),
    )
}

/// Converts the result of a check of a text.
pub(super) fn from_check(
    assessments: &[GuardrailAssessment],
    guardrail: &Guardrail,
    source: ContentSource,
    message: &str,
) -> Assessment {
    assessment(Some(guardrail), message, findings(source, assessments.iter()).collect())
}

fn assessment(guardrail: Option<&Guardrail>, message: &str, findings: Vec<GuardrailFinding>) -> Assessment {
    Assessment::new(guardrail.map(|guardrail| guardrail.id().to_owned()), message, findings)
}

fn findings<'a>(
    source: ContentSource,
    assessments: impl Iterator<Item = &'a GuardrailAssessment>,
) -> impl Iterator<Item = GuardrailFinding> {
    assessments
        .flat_map(|assessment| {
            [
                topics(assessment),
                contents(assessment),
                words(assessment),
                personal(assessment),
                grounding(assessment),
                reasoning(assessment),
            ]
        })
        .flatten()
        .map(move |(policy, name, action)| {
            GuardrailFinding::blocked(source, policy, name).with_action(action)
        })
}

type PolicyFindings = Vec<(GuardrailPolicy, String, GuardrailAction)>;

fn topics(assessment: &GuardrailAssessment) -> PolicyFindings {
    let topics = assessment.topic_policy.iter().flat_map(|policy| &policy.topics);
    topics
        .map(|topic| {
            let blocked = topic.action == GuardrailTopicPolicyAction::Blocked;
            (GuardrailPolicy::Topic, topic.name.clone(), blocked_or_noted(blocked))
        })
        .collect()
}

fn contents(assessment: &GuardrailAssessment) -> PolicyFindings {
    let filters = assessment.content_policy.iter().flat_map(|policy| &policy.filters);
    filters
        .map(|filter| {
            let blocked = filter.action == GuardrailContentPolicyAction::Blocked;
            (GuardrailPolicy::Content, filter.r#type.as_str().to_owned(), blocked_or_noted(blocked))
        })
        .collect()
}

/// Returns the findings of the word policy. The name of a custom word is left out, because it is part of the blocked
/// text.
fn words(assessment: &GuardrailAssessment) -> PolicyFindings {
    let Some(policy) = &assessment.word_policy else { return Vec::new() };
    let own = policy.custom_words.iter().map(|word| ("CUSTOM", &word.action));
    let managed = policy.managed_word_lists.iter().map(|word| (word.r#type.as_str(), &word.action));
    own.chain(managed)
        .map(|(name, action)| {
            (
                GuardrailPolicy::Word,
                name.to_owned(),
                blocked_or_noted(*action == GuardrailWordPolicyAction::Blocked),
            )
        })
        .collect()
}

fn personal(assessment: &GuardrailAssessment) -> PolicyFindings {
    let Some(policy) = &assessment.sensitive_information_policy else { return Vec::new() };
    let entities = policy.pii_entities.iter().map(|entity| (entity.r#type.as_str(), &entity.action));
    let patterns =
        policy.regexes.iter().map(|regex| (regex.name.as_deref().unwrap_or("regex"), &regex.action));
    entities
        .chain(patterns)
        .map(|(name, action)| {
            let action = match action {
                GuardrailSensitiveInformationPolicyAction::Blocked => GuardrailAction::Blocked,
                GuardrailSensitiveInformationPolicyAction::Anonymized => GuardrailAction::Masked,
                _ => GuardrailAction::Noted,
            };
            (GuardrailPolicy::Personal, name.to_owned(), action)
        })
        .collect()
}

fn grounding(assessment: &GuardrailAssessment) -> PolicyFindings {
    let filters =
        assessment.contextual_grounding_policy.iter().flat_map(|policy| policy.filters.iter().flatten());
    filters
        .map(|filter| {
            let blocked = filter.action == GuardrailContextualGroundingPolicyAction::Blocked;
            (GuardrailPolicy::Grounding, filter.r#type.as_str().to_owned(), blocked_or_noted(blocked))
        })
        .collect()
}

/// Returns the findings of automated reasoning. They are always [`GuardrailAction::Noted`]: this policy blocks nothing
/// by itself.
fn reasoning(assessment: &GuardrailAssessment) -> PolicyFindings {
    use aws_sdk_bedrockruntime::types::GuardrailAutomatedReasoningFinding as ReasoningFinding;
    let findings =
        assessment.automated_reasoning_policy.iter().flat_map(|policy| policy.findings.iter().flatten());
    findings
        .map(|finding| match finding {
            ReasoningFinding::Valid(_) => "valid",
            ReasoningFinding::Invalid(_) => "invalid",
            ReasoningFinding::Satisfiable(_) => "satisfiable",
            ReasoningFinding::Impossible(_) => "impossible",
            ReasoningFinding::TranslationAmbiguous(_) => "ambiguous",
            ReasoningFinding::TooComplex(_) => "too complex",
            ReasoningFinding::NoTranslations(_) => "not translated",
            _ => "unknown",
        })
        .map(|name| (GuardrailPolicy::Reasoning, name.to_owned(), GuardrailAction::Noted))
        .collect()
}

fn blocked_or_noted(blocked: bool) -> GuardrailAction {
    if blocked { GuardrailAction::Blocked } else { GuardrailAction::Noted }
}
