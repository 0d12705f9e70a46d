//! The input of a thread, in the graph's own type.

use crate::{Error, journal::Values, json, state::State, user_code::catch_panic};

/// Encodes the inputs for the journal. An input whose JSON does not deserialize to an equal value is rejected.
pub(super) fn encode<S: State>(input: S::Input) -> Result<Values, Error> {
    encoded::<S>(input).map_err(|problem| Error::InvalidInput { problem })
}

/// Parses an input and encodes it as [`encode`] does. An error says why the JSON is not the graph's input.
pub(super) fn read<S: State>(input: &serde_json::Value) -> Result<Values, String> {
    let input = catch_panic(|| "deserializer of the input".to_owned(), || json::read(&input.to_string()))
        .map_err(|broken| broken.to_string())?
        .map_err(|violation| violation.to_string())?;
    encoded::<S>(input)
}

fn encoded<S: State>(input: S::Input) -> Result<Values, String> {
    let encode = || {
        let json = json::encode(&input).map_err(|e| e.to_string())?;
        let values: Values = serde_json::from_str(&json).map_err(|e| e.to_string())?;
        for (field, value) in S::inputs(&input) {
            let Some(json) = values.get(field) else { continue };
            let Some(table) = S::TABLE.field(field) else { continue };
            (table.check_round_trip)(field, value, json.get()).map_err(|e| e.to_string())?;
        }
        drop(input);
        Ok(values)
    };
    catch_panic(|| "serializer of the input".to_owned(), encode).map_err(|broken| broken.to_string())?
}
