//! How a caller addresses a route: authentication, `paths:` and `request:`.

use std::collections::HashMap;

use minijinja::Environment;
use serde_json::{Map, Value};

use super::{
    definition::Definition,
    document::CallerAuth,
    error::ProxyError,
    route::ProxyRoute,
    template::{self, TemplateContext, value},
    text::Text,
};
use crate::{dialect, provider::endpoint, scenario::Api};

/// The parts of a definition that apply to requests, rendered for each route.
#[derive(Debug, Clone, Default)]
pub(super) struct Mapping {
    auth: Vec<(String, String)>,
    by_model: HashMap<String, Mapped>,
}

#[derive(Debug, Clone, Default)]
struct Mapped {
    headers: Vec<(String, String)>,
    /// The path for each API, without and with streaming.
    paths: HashMap<(Api, bool), String>,
    body: Map<String, Value>,
}

impl Mapping {
    pub(super) fn new(
        definition: &Definition,
        routes: &[ProxyRoute],
        context: &TemplateContext,
    ) -> Result<Self, ProxyError> {
        let environment = template::environment(&definition.source);
        let render = |text: &Text, context: &TemplateContext| {
            template::render(&environment, &definition.source, text, context)
        };
        let document = &definition.document;
        let auth = match &document.auth {
            None => Vec::new(),
            Some(CallerAuth::Bearer(key)) => {
                vec![("authorization".to_owned(), format!("Bearer {}", render(key, context)?))]
            }
            Some(CallerAuth::Headers(headers)) => headers
                .iter()
                .map(|(name, value)| Ok((name.to_ascii_lowercase(), render(value, context)?)))
                .collect::<Result<_, ProxyError>>()?,
        };
        let mut mapping = Self { auth, by_model: HashMap::new() };
        if document.pass_through.is_none()
            && document.paths.is_empty()
            && document.request.path.is_none()
            && document.request.headers.is_empty()
            && document.request.body.is_empty()
        {
            return Ok(mapping);
        }
        for (route, mut context) in routes.iter().zip(template::for_each_route(context)) {
            context.insert("path".to_owned(), value(""));
            let headers = document
                .request
                .headers
                .iter()
                .map(|(name, value)| Ok((name.to_ascii_lowercase(), render(value, &context)?)))
                .collect::<Result<_, ProxyError>>()?;
            let body = document
                .request
                .body
                .iter()
                .map(|(name, value)| {
                    Ok((name.clone(), body_value(&environment, definition, value, &context)?))
                })
                .collect::<Result<_, ProxyError>>()?;
            if let Some(passing) = document.pass_through.as_ref().filter(|_| route.settings.pass_through) {
                let mut paths = HashMap::new();
                for (api, stream) in passing.apis.keys().flat_map(|api| [(*api, false), (*api, true)]) {
                    let suffix = endpoint(
                        route.provider,
                        api,
                        stream,
                        dialect::row(api).query(stream),
                        &route.upstream_model,
                    );
                    let Some(suffix) = suffix else { continue };
                    context.insert("stream".to_owned(), value(stream));
                    context.insert("path".to_owned(), value(suffix));
                    paths.insert((api, stream), render(&passing.path, &context)?);
                }
                context.remove("stream");
                mapping.by_model.insert(route.model.clone(), Mapped { headers, paths, body });
                continue;
            }
            let mut paths = HashMap::new();
            let both = |api: Api| [(api, false), (api, true)];
            for (api, stream) in definition.apis.keys().copied().flat_map(both) {
                let (path, request_path) = (document.paths.get(&api), document.request.path.as_ref());
                if path.is_none() && request_path.is_none() {
                    continue;
                }
                let mut shown = dialect::fill_model(dialect::row(api).path(stream), &route.model);
                context.insert("stream".to_owned(), value(stream));
                for text in [path, request_path].into_iter().flatten() {
                    context.insert("path".to_owned(), value(&shown));
                    shown = dialect::fill_model(&render(text, &context)?, &route.model);
                }
                paths.insert((api, stream), shown);
            }
            context.remove("stream");
            mapping.by_model.insert(route.model.clone(), Mapped { headers, paths, body });
        }
        Ok(mapping)
    }

    pub(super) fn headers(&self, route: &ProxyRoute) -> Vec<(String, String)> {
        let mapped = self.by_model.get(&route.model).map_or(&[][..], |mapped| &mapped.headers);
        self.auth.iter().chain(mapped).cloned().collect()
    }

    pub(super) fn path(&self, api: Api, stream: bool, route: &ProxyRoute) -> Option<String> {
        self.by_model.get(&route.model)?.paths.get(&(api, stream)).cloned()
    }

    pub(super) fn body(&self, route: &ProxyRoute) -> Map<String, Value> {
        self.by_model.get(&route.model).map(|mapped| mapped.body.clone()).unwrap_or_default()
    }
}

/// Renders a member of the body. Every string in it is a template.
pub(super) fn body_value(
    environment: &Environment<'_>,
    definition: &Definition,
    value: &Value,
    context: &TemplateContext,
) -> Result<Value, ProxyError> {
    let inner = |value| body_value(environment, definition, value, context);
    Ok(match value {
        Value::String(text) => {
            let text = Text::somewhere(text);
            Value::String(template::render(environment, &definition.source, &text, context)?)
        }
        Value::Array(items) => Value::Array(items.iter().map(inner).collect::<Result<_, _>>()?),
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| Ok((name.clone(), inner(value)?)))
                .collect::<Result<_, ProxyError>>()?,
        ),
        other => other.clone(),
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::{
        proxy::RenderContext,
        scenario::{Provider, ProxySettings},
    };

    fn route() -> ProxyRoute {
        ProxyRoute {
            model: "a:b".to_owned(),
            api: Api::OpenaiChat,
            provider: Provider::Gemini,
            upstream_model: "g".to_owned(),
            base_url: "http://127.0.0.1:1".to_owned(),
            api_key: "k".to_owned(),
            fallbacks: Vec::new(),
            settings: ProxySettings::default(),
            group: "case".to_owned(),
            own: serde_json::Value::Null,
        }
    }

    /// Returns the mapping of a definition that ends with `rest`, for one route.
    fn mapping(rest: &str, route: &ProxyRoute) -> Mapping {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "name: fake\napis: {{gemini/generate: [gemini], openai/chat: [openai]}}\n\
             launch: {{command: [x]}}\nready: {{get: /}}\n{rest}"
        );
        fs::create_dir(folder.path().join("fake")).unwrap();
        fs::write(folder.path().join("fake/proxy.yaml"), text).unwrap();
        let definition = Definition::find("./fake", Path::new(folder.path())).unwrap();
        let context = definition.context(std::slice::from_ref(route), &RenderContext::sample());
        Mapping::new(&definition, std::slice::from_ref(route), &context).unwrap()
    }

    /// Returns the paths of requests for a route with the model `a:b`, without and with streaming.
    fn paths(rest: &str, api: Api) -> [Option<String>; 2] {
        let route = ProxyRoute { api, ..route() };
        let mapping = mapping(rest, &route);
        [false, true].map(|stream| mapping.path(api, stream, &route))
    }

    #[test]
    fn a_definition_without_paths_uses_those_of_the_api() {
        assert_eq!(paths("", Api::GeminiGenerate), [None, None]);
        assert_eq!(paths("paths: {openai/chat: /chat}", Api::GeminiGenerate), [None, None]);
    }

    #[test]
    fn requests_on_pass_through_routes_have_the_headers_and_the_body_of_the_definition() {
        let rest = "pass_through: {path: '/x{{ path }}', apis: {openai/chat: [openai]}}\n\
                    request: {headers: {X-Key: '{{ route.api_key }}'}, body: {model: '{{ route.model }}'}}";
        let settings = ProxySettings { pass_through: true, ..ProxySettings::default() };
        let route = ProxyRoute { settings, provider: Provider::Openai, ..route() };
        let mapping = mapping(rest, &route);
        assert_eq!(mapping.headers(&route), [("x-key".to_owned(), "k".to_owned())]);
        assert_eq!(mapping.body(&route)["model"], "a:b");
        assert_eq!(mapping.path(Api::OpenaiChat, false, &route).as_deref(), Some("/x/chat/completions"));
    }

    #[test]
    fn templates_get_the_apis_own_path_with_the_model_in_it() {
        assert_eq!(
            paths("paths: {gemini/generate: \"/gemini{{ path }}\"}", Api::GeminiGenerate).map(Option::unwrap),
            [
                "/gemini/v1beta/models/a%3Ab:generateContent",
                "/gemini/v1beta/models/a%3Ab:streamGenerateContent?alt=sse"
            ]
        );
        let both = "paths: {gemini/generate: \"/g/{model}{{ '/stream' if stream }}\"}\nrequest: {path: \"/x{{ path }}\"}";
        assert_eq!(paths(both, Api::GeminiGenerate).map(Option::unwrap), ["/x/g/a%3Ab", "/x/g/a%3Ab/stream"]);
        assert_eq!(paths(both, Api::OpenaiChat)[0].as_deref(), Some("/x/v1/chat/completions"));
    }
}
