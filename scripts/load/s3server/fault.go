package s3server

import (
	"maps"
	"net"
	"net/http"
	"strings"
	"time"
)

// Name is the name of a fault; its text is what the programs' flags call it.
type Name string

// The names of all faults.
const (
	SlowDown      Name = "slow-down"      // 503 SlowDown; Wait is sent as Retry-After
	RetryLater    Name = "retry-later"    // 503 ServiceUnavailable with Retry-After: Wait
	Internal      Name = "internal"       // 500 InternalError; Wait is sent as Retry-After
	BadGateway    Name = "bad-gateway"    // 502 with a proxy's HTML
	Denied        Name = "denied"         // 403 AccessDenied
	Exists        Name = "exists"         // 412 PreconditionFailed
	Conflict      Name = "conflict"       // 409 ConditionalRequestConflict
	Expired       Name = "expired"        // 400 ExpiredToken
	UnknownKey    Name = "unknown-key"    // 403 InvalidAccessKeyId, as of a key that is too new
	Digest        Name = "bad-digest"     // 400 BadDigest
	IdleTimeout   Name = "idle-timeout"   // 400 RequestTimeout
	LostUpload    Name = "lost-upload"    // 404 NoSuchUpload
	ResetBefore   Name = "reset-before"   // connection reset before the body is read
	ResetInside   Name = "reset-inside"   // … after Bytes of the body
	ResetAfter    Name = "reset-after"    // … after the whole body; nothing stored
	LostAnswer    Name = "lost-answer"    // done, then reset instead of the answer
	DoneThen500   Name = "done-then-500"  // done, then 500 InternalError
	Timeout       Name = "timeout"        // whole body read, nothing stored, no answer
	Hang          Name = "hang"           // done, no answer
	Slow          Name = "slow"           // Wait before the body is read, then as usual
	SkewedDate    Name = "skewed-date"    // as usual, but the Date header is off by Wait
	ErrorInside   Name = "error-inside"   // CompleteMultipartUpload: 200 with InternalError in the body, nothing stored
	WrongChecksum Name = "wrong-checksum" // as usual, but another CRC64NVME is echoed

	Refuse Name = "refuse" // Status and Code, whatever they are

	Stranger         Name = "stranger"           // nothing done, and Raw instead of the store's answer
	DoneThenStranger Name = "done-then-stranger" // done, and Raw instead of the store's answer
)

// Names are all faults, for programs that take one by name.
var Names = []Name{SlowDown, RetryLater, Internal, BadGateway, Denied, Exists, Conflict, Expired, UnknownKey, Digest, IdleTimeout, LostUpload,
	ResetBefore, ResetInside, ResetAfter, LostAnswer, DoneThen500, Timeout, Hang, Slow, SkewedDate, ErrorInside, WrongChecksum, Stranger, DoneThenStranger}

// Fault is what goes wrong with one call; the zero value is nothing.
type Fault struct {
	Name  Name
	Wait  time.Duration // Slow, SkewedDate, SlowDown, RetryLater and Internal
	Bytes int64         // ResetInside
	// Status and Code are the answer of Refuse.
	Status int
	Code   string
	// Raw is the answer of Stranger and DoneThenStranger, one of Stranges; "" is a proxy's 502.
	Raw   string
	Early bool // an answer with a status overtakes the body, and the connection closes
}

// refusal is the answer of a fault that has a status and lets nothing be done.
func (f Fault) refusal() *answer {
	switch f.Name {
	case SlowDown:
		return refuse(503, "SlowDown", "Please reduce your request rate.")
	case RetryLater:
		return refuse(503, "ServiceUnavailable", "Service is unable to handle request.")
	case Internal:
		return refuse(500, "InternalError", "We encountered an internal error. Please try again.")
	case BadGateway:
		return &answer{status: 502, body: []byte("<html><body>502 Bad Gateway</body></html>"), header: map[string]string{"Content-Type": "text/html"}}
	case Denied:
		return refuse(403, "AccessDenied", "Access Denied")
	case Exists:
		return refuse(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
	case Conflict:
		return refuse(409, "ConditionalRequestConflict", "The conditional request cannot succeed due to a conflicting operation against this resource.")
	case Expired:
		return refuse(400, "ExpiredToken", "The provided token has expired.")
	case Refuse:
		return refuse(f.Status, f.Code, "as the test wants it")
	case UnknownKey:
		return refuse(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
	case Digest:
		return refuse(400, "BadDigest", "The checksum did not match the calculated checksum.")
	case IdleTimeout:
		return refuse(400, "RequestTimeout", "Your socket connection to the server was not read from or written to within the timeout period.")
	case LostUpload:
		return refuse(404, "NoSuchUpload", "The specified upload does not exist.")
	case ErrorInside:
		a := refuse(500, "InternalError", "We encountered an internal error. Please try again.")
		return &answer{status: 200, body: a.xml(&Call{}, 0), header: map[string]string{"Content-Type": "application/xml"}}
	case ResetBefore, ResetInside, ResetAfter, LostAnswer, DoneThen500, Timeout, Hang, Slow, SkewedDate, WrongChecksum,
		Stranger, DoneThenStranger:
	}
	return nil
}

// before plays faults that come before or inside the body; true: the call is over.
func (s *Server) before(w http.ResponseWriter, r *http.Request, f Fault) bool {
	switch f.Name {
	case ResetBefore:
		reset(w)
		return true
	case ResetInside:
		buf := make([]byte, 4<<10)
		for left := f.Bytes; left > 0; {
			n, err := r.Body.Read(buf[:min(left, int64(len(buf)))])
			if left -= int64(n); err != nil {
				break
			}
		}
		reset(w)
		return true
	case Slow:
		s.wait(r.Context(), f.Wait)
	default:
	}
	return false
}

// instead plays faults that take the place of doing the call; false: the call is over.
func (s *Server) instead(w http.ResponseWriter, r *http.Request, f Fault) bool {
	switch f.Name {
	case ResetAfter:
		reset(w)
		return false
	case Timeout:
		s.wait(r.Context(), 10*time.Minute)
		return false
	case Stranger:
		strangely(w, f.raw())
		return false
	default:
		return true
	}
}

// raw is the answer of a stranger.
func (f Fault) raw() string {
	if f.Raw == "" {
		return nginxPage(http.StatusBadGateway, "Bad Gateway").Raw
	}
	return f.Raw
}

// after plays faults that take the answer of a call that was done; nil: the call is over.
func (s *Server) after(w http.ResponseWriter, r *http.Request, f Fault, a *answer) *answer {
	switch f.Name {
	case LostAnswer:
		reset(w)
		return nil
	case Hang:
		s.wait(r.Context(), 10*time.Minute)
		return nil
	case DoneThenStranger:
		strangely(w, f.raw())
		return nil
	case DoneThen500:
		return Fault{Name: Internal}.refusal()
	case WrongChecksum:
		const wrong = "AAAAAAAAAAE="
		other := *a
		other.header = maps.Clone(a.header)
		if _, ok := a.header["X-Amz-Checksum-Crc64nvme"]; ok {
			other.header["X-Amz-Checksum-Crc64nvme"] = wrong
		}
		if a.checksum != "" {
			other.body = []byte(strings.Replace(string(a.body), a.checksum, wrong, 1))
		}
		return &other
	default:
		return a
	}
}

// reset breaks the connection with a TCP reset, as a crashed server or a strict firewall does.
func reset(w http.ResponseWriter) {
	h, ok := w.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	c, _, err := h.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	raw := c
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		raw = t.NetConn()
	}
	if t, ok := raw.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = raw.Close()
}
