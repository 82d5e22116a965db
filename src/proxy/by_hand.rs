//! A proxy that upfault configures but does not start: its files, and the commands that start it.

use std::{path::Path, time::Duration};

use sha2::{Digest, Sha256};

use super::{
    definition::Definition, error::ProxyError, pattern::Pattern, render::RenderContext, route::ProxyRoute,
    source::hex, template,
};

/// A configured proxy for a user who starts it. The paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProxyByHand {
    /// The name and the text of each configuration file.
    pub(crate) files: Vec<(String, String)>,
    /// The command that starts it, in the folder of the files.
    pub(crate) command: Vec<String>,
    /// The environment variables of the command.
    pub(crate) env: Vec<(String, String)>,
    /// How to start it in a container, if the definition says so.
    pub(crate) container: Option<ProxyContainer>,
}

/// A proxy in a container. The paths are those of the host: the folder of the files has the same path in the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProxyContainer {
    /// The image.
    pub(crate) image: String,
    /// The command that starts it.
    pub(crate) command: Vec<String>,
    /// The values for its Helm chart, if the definition has a template for them.
    pub(crate) helm: Option<String>,
}

impl Definition {
    /// Returns the proxy with these routes. In `context`, `dir` and `here` are set by this function.
    ///
    /// # Errors
    /// [`ProxyError::Invalid`] with the line in the template, or if upfault has to start the proxy itself; the errors of
    /// writing the files of a bundled definition.
    pub(crate) fn by_hand(
        &self,
        routes: &[ProxyRoute],
        context: RenderContext,
        cache: &Path,
    ) -> Result<ProxyByHand, ProxyError> {
        let cannot = |why: String| {
            Err(ProxyError::Invalid(format!(
                "{} cannot be started by hand: {why}\nhelp: `upfault run --proxy` starts it",
                self.title()
            )))
        };
        if !self.mode.services.is_empty() {
            let names: Vec<&str> = self.mode.services.keys().map(String::as_str).collect();
            return cannot(format!("its mode starts services ({})", names.join(", ")));
        }
        if self.document.ready.log.as_ref().is_some_and(Pattern::names_port) {
            return cannot("it chooses its port itself".to_owned());
        }
        let context =
            RenderContext { dir: self.install_dir(cache)?, here: self.source.unpack(cache)?, ..context };
        let values = self.context(routes, &context);
        let environment = template::environment(&self.source);
        let files = self.render(routes, &context)?;
        let container = self.document.container.as_ref().map(|container| {
            let render = |texts| template::render_command(&environment, &self.source, texts, &values);
            let command = match container.command.is_empty() {
                true => self.launch_words(&values)?,
                false => render(&container.command)?,
            };
            let image = template::render(&environment, &self.source, &container.image, &values)?;
            let helm = self.helm_values(&files, &values)?;
            Ok::<_, ProxyError>(ProxyContainer { image, command, helm })
        });
        let mut env = self.launch_env(&values)?;
        env.retain(|(_, value)| !value.is_empty());
        Ok(ProxyByHand {
            files,
            command: self.launch_words(&values)?,
            env,
            container: container.transpose()?,
        })
    }

    /// Returns how long its start may take.
    pub(crate) fn ready_within(&self) -> Duration {
        self.document.ready.within
    }

    /// Returns a hash of the templates and of the mode, which changes if the same routes are configured in another way.
    pub(crate) fn hash_of_templates(&self) -> String {
        let mut hash = Sha256::new();
        let files = self.templates.iter().map(|file| (&file.target, &file.text));
        let of_routes = self.route_templates.iter().map(|file| (&file.target.source, &file.text));
        for (name, text) in files.chain(of_routes) {
            hash.update(name);
            hash.update(text);
        }
        hash.update(self.mode.describe().unwrap_or_default());
        hex(&hash.finalize()[..6])
    }
}
