//! A receiver that is `openssl s_server`, with keys that our own provider cannot make.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};
use tempfile::TempDir;

/// A server of OpenSSL's, until it is dropped.
#[derive(Debug)]
pub struct OpenSsl {
    child: Child,
    /// It must not end because nobody listens.
    _printed: BufReader<ChildStdout>,
    folder: TempDir,
    /// Where it is.
    pub url: String,
}

impl OpenSsl {
    /// One for `localhost` with a key on the curve `kind`, and an authority with one on `signed_by`. None where there is no
    /// OpenSSL.
    ///
    /// # Panics
    ///
    /// Where OpenSSL does not do as it is told.
    #[must_use]
    pub fn serve(kind: &str, signed_by: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let openssl = |arguments: &str| {
            let mut command = Command::new("openssl");
            command
                .args(arguments.split(' '))
                .current_dir(folder.path());
            command.stdin(Stdio::null()).stderr(Stdio::null());
            command
        };
        openssl("version").stdout(Stdio::null()).status().ok()?;
        std::fs::write(folder.path().join("names"), "subjectAltName=DNS:localhost")
            .expect("a file");
        for step in [
            format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:{signed_by} -nodes -keyout ca.key -out ca.pem -subj /CN=ca"
            ),
            format!(
                "req -newkey ec -pkeyopt ec_paramgen_curve:{kind} -nodes -keyout key.pem -out asked.pem -subj /CN=localhost"
            ),
            "x509 -req -in asked.pem -CA ca.pem -CAkey ca.key -CAcreateserial -extfile names -out cert.pem".to_owned(),
        ] {
            assert!(openssl(&step).status().expect("it runs").success(), "{step}");
        }
        let mut child = openssl("s_server -accept 127.0.0.1:0 -cert cert.pem -key key.pem -www")
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut printed = BufReader::new(child.stdout.take().expect("its output"));
        let port = printed.by_ref().lines().map_while(Result::ok);
        let port = port.take(10).find_map(|line| {
            let address = line.strip_prefix("ACCEPT ")?;
            Some(address.rsplit(':').next()?.to_owned())
        });
        Some(Self {
            url: format!("https://localhost:{}/", port.expect("a port")),
            _printed: printed,
            child,
            folder,
        })
    }

    /// The file of its authority's certificate.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        Path::join(self.folder.path(), "ca.pem")
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
