package s3server

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Strange is an answer that no S3 gives: it comes from something between a client and the store.
type Strange struct {
	Name string
	// Raw is the whole answer, as it goes over the wire.
	Raw string
	// Status is what a client sees of it.
	Status int
}

// strange writes an answer with its length; header lines end in \r\n.
func strange(name string, status int, header, body string) Strange {
	return Strange{name, fmt.Sprintf("HTTP/1.1 %d %s\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, http.StatusText(status), header, len(body), body), status}
}

const (
	asHTML = "Content-Type: text/html\r\n"
	asJSON = "Content-Type: application/json\r\n"
	asXML  = "Content-Type: application/xml\r\n"
	asText = "Content-Type: text/plain\r\n"
)

// nginxPage is the page of a proxy that many run.
func nginxPage(status int, title string) Strange {
	return strange(fmt.Sprintf("nginx %d", status), status, asHTML+"Server: nginx/1.25.3\r\n",
		fmt.Sprintf("<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n<center><h1>%d %s</h1></center>\r\n<hr><center>nginx/1.25.3</center>\r\n</body>\r\n</html>\r\n", status, title, status, title))
}

// envoy is the bare text of a service mesh.
func envoy(status int, text string) Strange {
	return strange(fmt.Sprintf("envoy %d %.12s", status, text), status, asText+"Server: envoy\r\n", text)
}

// cloudflare is the page of a content delivery network.
func cloudflare(status int, text string) Strange {
	return strange(fmt.Sprintf("cloudflare %d", status), status, asHTML+"Server: cloudflare\r\nCF-RAY: 8f00baa1-MAD\r\n",
		"<!DOCTYPE html><html lang=\"en-US\"><head><title>"+text+"</title><style>body{}</style></head><body><h1>"+text+"</h1></body></html>")
}

const (
	portal  = "<!DOCTYPE html>\n<html><head><title>Welcome to Hotel Wifi</title><script>go()</script></head><body><form action=/login>Room number</form></body></html>"
	refusal = `<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message><RequestId>1</RequestId></Error>`
)

// Stranges are the answers of proxies, gateways, portals and filters that people meet before their stores. None of them
// says whether the request reached the store.
func Stranges() []Strange {
	return []Strange{
		nginxPage(400, "Bad Request"), nginxPage(403, "Forbidden"), nginxPage(404, "Not Found"), nginxPage(408, "Request Time-out"),
		nginxPage(411, "Length Required"), nginxPage(412, "Precondition Failed"), nginxPage(413, "Request Entity Too Large"),
		nginxPage(414, "Request-URI Too Large"), nginxPage(429, "Too Many Requests"), nginxPage(495, "SSL Certificate Error"),
		nginxPage(499, "Client Closed Request"), nginxPage(500, "Internal Server Error"), nginxPage(501, "Not Implemented"),
		nginxPage(502, "Bad Gateway"), nginxPage(503, "Service Temporarily Unavailable"), nginxPage(504, "Gateway Time-out"),
		envoy(503, "upstream connect error or disconnect/reset before headers. reset reason: connection termination"),
		envoy(503, "no healthy upstream"), envoy(504, "upstream request timeout"), envoy(404, ""), envoy(403, "RBAC: access denied"), envoy(429, "local_rate_limited"),
		cloudflare(403, "Attention Required! | Cloudflare"), cloudflare(520, "Web server is returning an unknown error"),
		cloudflare(522, "Connection timed out"), cloudflare(524, "A timeout occurred"),

		strange("portal 200", 200, asHTML, portal),
		strange("portal 200 with an ETag", 200, asHTML+"ETag: \"5f3c-61\"\r\nLast-Modified: Mon, 02 Jan 2023 03:04:05 GMT\r\n", portal),
		strange("portal 302", 302, asHTML+"Location: http://portal.invalid/login\r\n", portal),
		strange("portal 511", 511, asHTML, portal),
		strange("redirect 301", 301, "Location: https://elsewhere.invalid/\r\n", ""),
		strange("redirect 307", 307, "Location: https://elsewhere.invalid/\r\n", ""),
		strange("redirect 308", 308, "Location: https://elsewhere.invalid/\r\n", ""),
		strange("see other 303", 303, "Location: /login\r\n", ""),
		strange("not modified 304", 304, "", ""),
		strange("multiple choices 300", 300, asHTML, "<html>choose</html>"),

		strange("JSON 403", 403, asJSON, `{"message":"Forbidden"}`),
		strange("JSON 401", 401, asJSON+"WWW-Authenticate: Bearer\r\n", `{"error":"unauthorized"}`),
		strange("JSON 404", 404, asJSON, `{"Code":"NoSuchBucket","message":"no Route matched with those values"}`),
		strange("JSON 200", 200, asJSON, `{"status":"ok"}`),
		strange("JSON 503", 503, asJSON+"Retry-After: 1\r\n", `{"error":"SlowDown"}`),
		strange("text 503", 503, asText, "SlowDown"),
		strange("text 409", 409, asText, "conflict"),
		strange("text 418", 418, asText, "I'm a teapot"),
		strange("text 405", 405, asText, "MethodNotAllowed"),
		strange("text 507", 507, asText, "no space left"),

		strange("empty 200", 200, "", ""), strange("empty 201", 201, "", ""), strange("empty 202", 202, "", ""), strange("empty 204", 204, "", ""),
		strange("partial 206 with an ETag", 206, "ETag: \"x\"\r\nContent-Range: bytes 0-0/1\r\n", ""),
		strange("empty 400", 400, "", ""), strange("empty 403", 403, "", ""), strange("empty 404", 404, "", ""), strange("empty 407", 407, "Proxy-Authenticate: Basic\r\n", ""),
		strange("empty 412", 412, "", ""), strange("empty 416", 416, "", ""), strange("empty 500", 500, "", ""), strange("empty 503", 503, "", ""),
		strange("status 999", 999, "", ""),

		strange("truncated XML 403", 403, asXML, refusal[:len(refusal)-20]),
		strange("truncated code 404", 404, asXML, `<Error><Code>NoSuchUplo`),
		strange("truncated XML 200", 200, asXML, `<?xml version="1.0"?><CompleteMultipartUploadResult><ETag>"a"`),
		strange("other XML 403", 403, asXML, `<?xml version="1.0"?><error><code>403</code></error>`),
		strange("other XML 200", 200, asXML, `<?xml version="1.0"?><response status="ok"/>`),
		strange("XML without a code 500", 500, asXML, `<Error><Message>nothing</Message></Error>`),
		strange("XML with an empty code 403", 403, asXML, `<Error><Code> </Code></Error>`),
		strange("XML after a page 403", 403, asHTML, `denied <Error><Code>AccessDenied</Code></Error>`),
		strange("XHTML 403", 403, asXML, `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body><Code>AccessDenied</Code></body></html>`),
		strange("SOAP fault 500", 500, asXML, `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><soap:Fault><faultcode>soap:Server</faultcode><Code>InternalError</Code></soap:Fault></soap:Body></soap:Envelope>`),
		strange("gzip unasked 403", 403, asHTML+"Content-Encoding: gzip\r\n", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xb3\xc9"),
		strange("UTF-16 403", 403, asXML, "\xff\xfe<\x00E\x00r\x00r\x00o\x00r\x00>\x00"),
		strange("NUL bytes 200", 200, "Content-Type: application/octet-stream\r\n", strings.Repeat("\x00", 64)),

		{"HTTP/1.0 200 without a length", "HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<html>it works</html>", 200},
		{"HTTP/1.0 503", "HTTP/1.0 503 Service Unavailable\r\nServer: BigIP\r\n\r\n", 503},
		{"early hints, then a page", "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!", 403},
		{"switching protocols", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", 101},
		{"chunked page", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n6\r\n<html>\r\n7\r\n</html>\r\n0\r\n\r\n", 200},
	}
}

// strangely writes a raw answer and closes the connection.
func strangely(w http.ResponseWriter, raw string) {
	h, ok := w.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	c, _, err := h.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(c, raw) // a client that went away is its own business
	_ = c.Close()
}
