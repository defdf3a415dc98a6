//! `kedge sandbox`: the providers as one small remembered world, on a port.

use std::future::pending;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::rc::Rc;

use kedge_engine::ports::ProviderName;
use kedge_sandbox::{Fault, Options, Sandbox, Tls};
use tokio::net::TcpListener;

use crate::args::SandboxOptions;
use crate::error::CliError;
use crate::screen;

/// Serves until the process is stopped.
pub(crate) async fn serve(options: &SandboxOptions) -> Result<u8, CliError> {
    let sandbox = Sandbox::new(Options {
        seed: options.seed,
        latency_ms: options.latency_ms,
        jitter_ms: options.jitter_ms,
        ..Options::default()
    });
    for text in &options.fault {
        let fault: Fault = serde_json::from_str(text)
            .map_err(|error| CliError::Usage(format!("--fault {text}: {error}")))?;
        sandbox.add_fault(fault);
    }
    let listener = listen(options.port).await?;
    screen::out(&environment(&listener)?)?;
    let sandbox = Rc::new(sandbox);
    let served = match options.tls {
        false => kedge_sandbox::serve(sandbox, listener, pending()).await,
        true => {
            let tls = Rc::new(Tls::new()?);
            let certificate = certificate(&tls).map_err(CliError::SandboxCertificate)?;
            screen::out(&format!(
                "# https://{} too, for clients that trust {path}: SSL_CERT_FILE={path}\n",
                listener.local_addr().map_err(CliError::Serve)?,
                path = certificate.display(),
            ))?;
            kedge_sandbox::serve_tls(sandbox, listener, tls, pending()).await
        }
    };
    served.map_err(CliError::Serve)?;
    Ok(0)
}

/// Writes the certificate where a client can read it. It stays there: it is of no use once its key is gone.
fn certificate(tls: &Tls) -> io::Result<PathBuf> {
    let mut file = tempfile::Builder::new()
        .prefix("kedge-sandbox-")
        .suffix(".pem")
        .tempfile()?;
    file.write_all(tls.certificate_pem().as_bytes())?;
    Ok(file.into_temp_path().keep()?)
}

/// Listens on this machine only.
pub(crate) async fn listen(port: u16) -> Result<TcpListener, CliError> {
    TcpListener::bind(("127.0.0.1", port))
        .await
        .map_err(|source| CliError::Listen { port, source })
}

/// The lines to put into the environment of a client.
fn environment(listener: &TcpListener) -> Result<String, CliError> {
    let at = listener.local_addr().map_err(CliError::Serve)?;
    let mut text = String::new();
    for provider in ProviderName::ALL {
        let variables = provider
            .entry()
            .sandbox_variables(&at.to_string(), "sandbox");
        let set = variables
            .iter()
            .map(|(name, value)| format!(" {name}={value}"));
        text.push_str(&format!("export{}\n", set.collect::<String>()));
    }
    text.push_str(&format!(
        "# admin: http://{at}/_sandbox/world, stop with Ctrl-C\n"
    ));
    Ok(text)
}
