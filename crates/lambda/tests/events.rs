//! Events from files and from nowhere, through the decoder.

#[path = "events/examples.rs"]
mod examples;
#[path = "events/files.rs"]
mod files;
#[path = "events/made_up.rs"]
mod made_up;
#[path = "events/properties.rs"]
mod properties;
#[path = "events/vectors.rs"]
mod vectors;
