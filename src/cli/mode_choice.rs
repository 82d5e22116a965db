//! What the options of `upfault run` that change the proxy mean.

use std::path::Path;

use super::{
    context::CliContext, failure::Failure, mode_args::ModeArgs, run_args::is_url, settings::Settings,
};
use crate::proxy::ProxyMode;

impl ModeArgs {
    /// Returns the proxy with the mode that these options describe, as `--proxy` takes it; `None` if they change nothing.
    /// `given` is the proxy of the command line.
    pub(super) fn proxy(
        &self,
        context: &CliContext,
        chosen: &Settings,
        given: Option<&str>,
    ) -> Result<Option<String>, Failure> {
        let Some(option) = self.first_option() else { return Ok(None) };
        let proxy = given.or(chosen.proxy.as_deref()).unwrap_or("builtin");
        if is_url(proxy) || proxy == "builtin" || proxy.starts_with("builtin:") {
            return Err(Failure::Usage(format!(
                "`{option}` changes a proxy that upfault installs and starts, and {proxy} is not one\nhelp: name one with \
                 `--proxy`, for example `--proxy litellm`"
            )));
        }
        if let Some(wrong) = self.set.iter().find(|word| !ProxyMode::is_assignment(word)) {
            return Err(Failure::Usage(format!(
                "`--set {wrong}` sets nothing\nhelp: write `--set NAME=VALUE` for an environment variable, or `--set a.b=VALUE` \
                 for a setting in the proxy's configuration"
            )));
        }
        // Paths in the mode are relative to the folder of the proxy's name, which may be that of upfault.toml.
        let here = given.is_some() || chosen.base == context.cwd;
        let path = |file: &Path| if here { file.to_owned() } else { context.place(file) };
        let own = self.config_overlay.iter().map(|file| ProxyMode::own_configuration(&path(file)));
        let overlays = self.overlay.iter().map(|file| path(file).display().to_string());
        let words = own.chain(overlays).chain(self.set.iter().cloned());
        Ok(Some(ProxyMode::joined(proxy, words)))
    }

    fn first_option(&self) -> Option<&'static str> {
        let options = [
            ("--set", !self.set.is_empty()),
            ("--overlay", !self.overlay.is_empty()),
            ("--config-overlay", self.config_overlay.is_some()),
        ];
        options.into_iter().find(|(_, is_given)| *is_given).map(|(option, _)| option)
    }

    /// The name and the version of the proxy whose baseline and known findings apply.
    pub(super) fn compared_as(&self) -> Result<Option<(String, Option<String>)>, Failure> {
        let Some(text) = &self.compared_as else { return Ok(None) };
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(version.to_owned())),
            None => (text.as_str(), None),
        };
        let is_name = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c))
        };
        if !is_name(name) || version.as_deref().is_some_and(|version| !is_name(version)) {
            return Err(Failure::Usage(format!(
                "`--as {text}` is not the name of a proxy\nhelp: write a name, and the version if it is known: `--as \
                 litellm@1.108.7`"
            )));
        }
        Ok(Some((name.to_owned(), version)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(args: &ModeArgs, given: Option<&str>, chosen: &Settings) -> String {
        let context = CliContext::for_tests(Path::new("/here"), None);
        match args.proxy(&context, chosen, given) {
            Ok(proxy) => proxy.unwrap_or_default(),
            Err(failure) => failure.render(false),
        }
    }

    #[test]
    fn the_options_become_the_mode_of_the_proxy() {
        let args = ModeArgs {
            set: vec!["A=1,2".to_owned(), "a.b=[x]".to_owned()],
            overlay: vec!["o.yaml".into()],
            config_overlay: Some("my.yaml".into()),
            compared_as: None,
        };
        let in_file = |base: &str| {
            let mut chosen = Settings::default();
            (chosen.proxy, chosen.base) = (Some("litellm".to_owned()), base.into());
            chosen
        };
        let here = in_file("/here");
        assert_eq!(joined(&args, None, &here), r"litellm,config:my.yaml,o.yaml,A=1\,2,a.b=[x]");
        let above = in_file("/");
        assert_eq!(joined(&args, None, &above), r"litellm,config:/here/my.yaml,/here/o.yaml,A=1\,2,a.b=[x]");
        assert_eq!(joined(&args, Some("p:v"), &above), r"p:v,config:my.yaml,o.yaml,A=1\,2,a.b=[x]");
        assert_eq!(joined(&ModeArgs::default(), None, &above), "");
    }

    #[test]
    fn options_that_change_nothing_are_refused() {
        let args = ModeArgs { set: vec!["A".to_owned()], ..ModeArgs::default() };
        let text = joined(&args, Some("litellm"), &Settings::default());
        assert!(text.contains("`--set A` sets nothing") && text.contains("help: "), "{text}");
        for proxy in [None, Some("builtin:none"), Some("http://127.0.0.1:4000")] {
            let text = joined(&args, proxy, &Settings::default());
            assert!(text.contains("`--set` changes a proxy that upfault installs"), "{text}");
        }
    }

    #[test]
    fn another_proxy_has_a_name_and_perhaps_a_version() {
        let parsed = |text: &str| {
            let args = ModeArgs { compared_as: Some(text.to_owned()), ..ModeArgs::default() };
            args.compared_as().ok().flatten()
        };
        assert_eq!(parsed("litellm@1.2"), Some(("litellm".to_owned(), Some("1.2".to_owned()))));
        assert_eq!(parsed("litellm"), Some(("litellm".to_owned(), None)));
        for wrong in ["", "../x", "litellm@", "litellm@1@2", "a b"] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
