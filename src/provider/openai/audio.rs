//! OpenAI: `POST /v1/audio/speech` and `/v1/audio/transcriptions`.
//!
//! Source: <https://developers.openai.com/api/docs/api-reference/audio>.

use serde_json::{Value, json};

use super::completions::text_pieces;
use crate::{
    observation::Canaries,
    provider::{
        message::{MessageBody, json},
        request::RequestedCall,
    },
    scenario::SuccessReply,
};

/// One frame of MPEG 1 layer III, 128 kbit/s at 44.1 kHz, mono: its header and 413 zeros, which
/// decode to silence.
const FRAME_HEADER: [u8; 4] = [0xff, 0xfb, 0x90, 0xc4];
const FRAME_LENGTH: usize = 417;

/// Returns silence, with the spoken text as its title.
pub(crate) fn speech(
    reply: &SuccessReply,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> (&'static str, MessageBody) {
    let pieces = text_pieces(reply, canaries);
    let mut bytes = titled(&pieces.concat());
    for _ in &pieces {
        bytes.extend(FRAME_HEADER);
        bytes.resize(bytes.len() + FRAME_LENGTH - FRAME_HEADER.len(), 0);
    }
    // Only the content type follows the requested format: the proxy does not decode the audio.
    let kind = match asked.body["response_format"].as_str() {
        Some("opus") => "audio/opus",
        Some("aac") => "audio/aac",
        Some("flac") => "audio/flac",
        Some("wav") => "audio/wav",
        Some("pcm") => "audio/pcm",
        _ => "audio/mpeg",
    };
    (kind, MessageBody::Whole(bytes.into()))
}

/// An ID3v2.3 tag that contains only a title.
fn titled(title: &str) -> Vec<u8> {
    let frame = title.len() + 1;
    let mut bytes = b"ID3\x03\x00\x00".to_vec();
    // The length of the tag has seven bits per byte, the length of its frame has eight.
    let tag = frame + 10;
    bytes.extend([21, 14, 7, 0].map(|shift| (tag >> shift) as u8 & 0x7f));
    bytes.extend(b"TIT2");
    bytes.extend(u32::try_from(frame).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend([0, 0, 0]);
    bytes.extend(title.as_bytes());
    bytes
}

/// Returns the transcribed text as JSON, or in one of whisper's text formats.
pub(crate) fn transcription(
    reply: &SuccessReply,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> (&'static str, MessageBody) {
    let text = text_pieces(reply, canaries).concat();
    let plain = |text: String| ("text/plain; charset=utf-8", MessageBody::Whole(text.into()));
    match asked.body["response_format"].as_str() {
        Some("text") => plain(format!("{text}\n")),
        Some("srt") => plain(format!("1\n00:00:00,000 --> 00:00:01,000\n{text}\n\n")),
        Some("vtt") => plain(format!("WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n{text}\n\n")),
        Some("verbose_json") => json(&verbose(&text)),
        _ => json(&json!({"text": text, "usage": usage(&asked.model)})),
    }
}

/// The usage: whisper is billed per second, the other models per token.
fn usage(model: &str) -> Value {
    if model.starts_with("whisper") {
        return json!({"type": "duration", "seconds": 1});
    }
    json!({
        "type": "tokens",
        "total_tokens": 19,
        "input_tokens": 14,
        "input_token_details": {"text_tokens": 0, "audio_tokens": 14},
        "output_tokens": 5,
    })
}

fn verbose(text: &str) -> Value {
    let segment = json!({
        "id": 0,
        "seek": 0,
        "start": 0.0,
        "end": 1.0,
        "text": text,
        "tokens": [50364, 50414],
        "temperature": 0.0,
        "avg_logprob": -0.25,
        "compression_ratio": 1.0,
        "no_speech_prob": 0.0,
    });
    json!({
        "task": "transcribe",
        "language": "english",
        "duration": 1.0,
        "text": text,
        "segments": [segment],
        "usage": {"type": "duration", "seconds": 1},
    })
}
