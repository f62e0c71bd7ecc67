//! Generates the client from the description.

use std::{env, error::Error, fs, path::PathBuf};

const DESCRIPTION: &str = "../../../openapi/prompt-valet.json";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={DESCRIPTION}");
    let mut description: serde_json::Value = serde_json::from_str(&fs::read_to_string(DESCRIPTION)?)?;
    // The one operation that progenitor cannot make: it knows no multipart forms.
    let paths = description["paths"].as_object_mut().ok_or("no paths")?;
    paths.remove("/jobs/upload").ok_or("no uploads: nothing is to be left out")?;
    let description: openapiv3::OpenAPI = serde_json::from_value(description)?;
    let client = progenitor::Generator::default().generate_tokens(&description)?;
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("client.rs"), client.to_string())?;
    Ok(())
}
