//! `faregate explain`.

mod access;
mod action;
mod authenticate;
mod edge;
mod key;
mod origin;
mod others;
mod request;
mod rules;
mod say;
mod token;
mod verdict;
mod written;

use std::net::IpAddr;

use clap::Args;
use faregate_core::{
    check::CheckOptions,
    diagnostic::Report,
    document::{Document, RawDocument},
    snapshot::Snapshot,
};
use faregate_engine::publish::read_document;

use self::{
    edge::EdgeView,
    key::KeyVerdict,
    request::{Asked, OnInput},
    token::TokenVerdict,
    verdict::Explanation,
    written::Written,
};
use crate::{
    error::{CliError, Exit},
    output::Output,
    source::{STANDARD_INPUT, Source},
    stores::Stores,
};

/// How many entries that did not win are shown.
const OTHERS_SHOWN: usize = 10;

/// Say which route a request belongs to, and why no other one; nothing is sent and no permit taken
#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// The method
    method: String,
    /// https://host/path?query, or a path alone for the host `localhost`
    url: String,
    /// A header of the request; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The client's address, for access lists; behind an edge its header says it
    #[arg(long)]
    address: Option<IpAddr>,
    /// Ask this file instead of the version that serves
    #[arg(long, value_name = "FILE")]
    file: Option<String>,
    /// Show every entry that did not win, not only the nearest 10
    #[arg(long)]
    all: bool,
    /// Read an API key from standard input and say what the gateway makes of it
    #[arg(long)]
    key_stdin: bool,
    /// Read a token from standard input and say what the gateway makes of it; its issuer is asked for keys
    #[arg(long, conflicts_with = "key_stdin")]
    token_stdin: bool,
}

impl Explain {
    /// Whether no table is needed.
    pub(crate) fn is_offline(&self) -> bool {
        self.file.is_some() && !self.key_stdin && !self.token_stdin
    }

    /// Asks the file.
    pub(crate) fn run_offline(self, options: CheckOptions, output: &mut Output<'_>) -> Result<Exit, CliError> {
        let document = Source::read(self.file.as_deref().unwrap_or(STANDARD_INPUT))?;
        let document = document.document(options, "there is nothing to explain")?;
        let explanation = self.explain(&compile(&document, "there is nothing to explain")?, &document)?;
        explanation.print(output)
    }

    /// Asks the version that serves, or the file; the Keys table about the key.
    pub(crate) async fn run(self, stores: &Stores, output: &mut Output<'_>) -> Result<Exit, CliError> {
        let (version, document) = match self.file.as_deref() {
            Some(STANDARD_INPUT) => {
                return Err(CliError::Usage("file and credential cannot both be on standard input".to_owned()));
            }
            Some(name) => (None, Source::read(name)?.document(stores.check, "there is nothing to explain")?),
            None => {
                let head = stores.config.current(true).await?;
                let head = head.ok_or_else(|| CliError::NotFound("nothing is published yet".to_owned()))?;
                (Some(head.version), read_document(&*stores.config, &head).await?)
            }
        };
        let snapshot = compile(&document, "there is nothing to explain")?;
        let mut explanation = self.explain(&snapshot, &document)?;
        explanation.version = version;
        let route = explanation.route.as_ref().map(|route| route.id.as_str());
        let route = route.and_then(|id| snapshot.routes.iter().find(|route| *route.id == *id));
        if self.key_stdin {
            explanation.key = Some(KeyVerdict::of_standard_input(stores, &snapshot, route).await?);
        }
        if self.token_stdin {
            let route = route.ok_or_else(|| CliError::Usage("no route takes the request and its token".to_owned()))?;
            explanation.tokens = TokenVerdict::of_standard_input(stores, &snapshot, route).await?;
        }
        explanation.print(output)
    }

    fn explain(&self, snapshot: &Snapshot, raw: &RawDocument) -> Result<Explanation, CliError> {
        let asked = Asked::parse(&self.method, &self.url, &self.headers, self.address)?;
        let mut asked = Asked { on_input: self.on_input(), ..asked };
        // What cannot be a request meets no edge.
        let edge = snapshot.settings.edge.as_ref().filter(|_| asked.path.is_ok());
        let edge = edge.map(|edge| EdgeView::of(edge, &mut asked));
        let shown = if self.all { usize::MAX } else { OTHERS_SHOWN };
        Ok(Explanation { edge, ..Explanation::of(&asked, snapshot, &Written::of(raw), shown) })
    }

    /// The credential that the request has beside its headers.
    fn on_input(&self) -> Option<OnInput> {
        let key = self.key_stdin.then_some(OnInput::Key);
        key.or_else(|| self.token_stdin.then_some(OnInput::Token))
    }
}

/// The configuration that serves, compiled; `None` where nothing is published yet.
pub(super) async fn serving(stores: &Stores) -> Result<Option<Snapshot>, CliError> {
    let Some(head) = stores.config.current(true).await? else { return Ok(None) };
    let document = read_document(&*stores.config, &head).await?;
    compile(&document, "its limits are not known").map(Some)
}

/// Compiles a document as an environment does.
fn compile(raw: &RawDocument, so: &str) -> Result<Snapshot, CliError> {
    let document = serde_json::to_value(raw).and_then(serde_json::from_value::<Document>);
    let document = document.map_err(|error| CliError::Failed(format!("the snapshot is no document: {error}")))?;
    let mut report = Report::default();
    let snapshot = Snapshot::compile(&document, &mut report);
    snapshot.ok_or_else(|| CliError::Refused {
        message: format!("the configuration has errors; {so}"),
        diagnostics: report.into_diagnostics(),
    })
}
