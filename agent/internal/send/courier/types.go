package courier

import (
	"bytes"
)

// contentTypes is the type of a file by the last part of its name. It is ours and not the system's, so that one file
// gets one type on every host.
var contentTypes = map[string]string{
	"7z": "application/x-7z-compressed", "avi": "video/x-msvideo", "avif": "image/avif", "bmp": "image/bmp",
	"bz2": "application/x-bzip2", "css": "text/css; charset=utf-8", "csv": "text/csv", "eml": "message/rfc822",
	"gif": "image/gif", "gz": "application/gzip", "htm": "text/html", "html": "text/html", "ico": "image/x-icon",
	"ics": "text/calendar", "jar": "application/java-archive", "jpeg": "image/jpeg", "jpg": "image/jpeg",
	"js": "text/javascript", "json": "application/json", "jsonl": "application/jsonl", "log": "text/plain",
	"md": "text/markdown", "mjs": "text/javascript", "mkv": "video/x-matroska", "mov": "video/quicktime",
	"mp3": "audio/mpeg", "mp4": "video/mp4", "mpeg": "video/mpeg", "ndjson": "application/x-ndjson",
	"oga": "audio/ogg", "ogg": "audio/ogg", "ogv": "video/ogg", "opus": "audio/ogg", "otf": "font/otf",
	"parquet": "application/vnd.apache.parquet", "pdf": "application/pdf", "png": "image/png",
	"rar": "application/vnd.rar", "rtf": "application/rtf", "sql": "application/sql", "svg": "image/svg+xml",
	"tar": "application/x-tar", "tgz": "application/gzip", "tif": "image/tiff", "tiff": "image/tiff",
	"toml": "application/toml", "ts": "video/mp2t", "tsv": "text/tab-separated-values", "ttf": "font/ttf",
	"txt": "text/plain", "wasm": "application/wasm", "wav": "audio/wav", "weba": "audio/webm", "webm": "video/webm",
	"webp": "image/webp", "woff": "font/woff", "woff2": "font/woff2", "xhtml": "application/xhtml+xml",
	"xml": "application/xml", "xz": "application/x-xz", "yaml": "application/yaml", "yml": "application/yaml",
	"zip": "application/zip", "zst": "application/zstd",
	"docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"odt":  "application/vnd.oasis.opendocument.text", "ods": "application/vnd.oasis.opendocument.spreadsheet",
	"pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

// unknownType is the type of whatever has no entry.
const unknownType = "application/octet-stream"

// contentType is the media type of a file by its extension, whatever its case.
func contentType(base string) string {
	ext := extension(base)
	if len(ext) < 2 || len(ext) > 16 {
		return unknownType
	}
	var low [16]byte
	name := bytes.ToLower(append(low[:0], ext[1:]...))
	if t, ok := contentTypes[string(name)]; ok {
		return t
	}
	return unknownType
}
