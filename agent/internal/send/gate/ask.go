package gate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"buzon/agent/internal/client"
)

// callTimeout is how long one question may take, the SDK's retries included.
const callTimeout = 30 * time.Second

// answer is what came back for one question. A status of 0 means that nothing
// did.
type answer struct {
	client.Fault // of an error

	status int
	call   string // the operation that was asked
	code   string // S3's or STS's error code; "" when it succeeded
	header http.Header
	err    error
	empty  bool // a list that holds nothing
	// offset is the server's clock minus ours; dated tells if it was told.
	offset time.Duration
	dated  bool
	// silence is why nothing came back, and host of whom.
	silence Silence
	host    string
}

// Silence is why there was no answer.
type Silence string

// Why there was no answer; the texts are in locale as check.silence- and it.
const (
	NoName      Silence = "name"        // the host's name is not known
	NoTrust     Silence = "certificate" // its certificate is not trusted
	NoTime      Silence = "timeout"
	NoListener  Silence = "refused" // the connection
	NoProxy     Silence = "proxy"   // the proxy gave no connection
	NoEndpoint  Silence = "endpoint"
	NotSent     Silence = "not-sent" // the SDK could not make a request of it
	NoBroken    Silence = "broken"   // the connection broke
	NoInterrupt Silence = "canceled"
)

func (a answer) ok() bool { return a.err == nil }

// String is the answer in the protocol's words.
func (a answer) String() string {
	switch {
	case a.status == 0 && a.err != nil:
		return strings.TrimSpace("no answer: " + string(a.silence) + " " + a.host)
	case a.Class == client.NotTheStore:
		return a.Code
	case a.code == "":
		return fmt.Sprint(a.status)
	default:
		return fmt.Sprintf("%d %s", a.status, a.code)
	}
}

// asking is a context for one call, and what listens to its answers.
type asking struct {
	got   answer
	probe bool
}

// listen records status, headers and clock of the last answer to a call.
func (q *asking) listen(stack *middleware.Stack) error {
	if q.probe {
		if err := awsmiddleware.AddUserAgentKey("buzon-probe")(stack); err != nil {
			return err
		}
	}
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("BuzonListen",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
			q.got.call = awsmiddleware.GetServiceID(ctx) + ":" + awsmiddleware.GetOperationName(ctx)
			out, metadata, err := next.HandleDeserialize(ctx, in)
			if response, ok := out.RawResponse.(*smithyhttp.Response); ok && response.Response != nil {
				q.got.status, q.got.header = response.StatusCode, response.Header
				if date, parsed := http.ParseTime(response.Header.Get("Date")); parsed == nil {
					// A Date has whole seconds: its middle is the likeliest.
					q.got.offset, q.got.dated = time.Until(date.Add(500*time.Millisecond)), true
				}
			}
			return out, metadata, err
		}), middleware.After)
}

// s3 is the option that makes an S3 call heard.
func (q *asking) s3(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, q.listen)
	// Repeating a question is harmless here: what is written is written once.
	o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = 3, 2*time.Second })
}

// sts is the option that makes an STS call heard.
func (q *asking) sts(o *sts.Options) { o.APIOptions = append(o.APIOptions, q.listen) }

// ask makes one call within its time and gives what was answered.
func ask(ctx context.Context, probe bool, call func(context.Context, *asking) error) answer {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	q := &asking{probe: probe}
	err := call(ctx, q)
	a := q.got
	if a.err = err; err == nil {
		return a
	}
	a.Fault = client.Classify(err)
	a.status = a.Status // of what came whole
	switch {
	case a.status == 0:
		a.silence, a.host = silence(err)
	case a.Class == client.NotTheStore: // whose code is no code
	case a.Code == "":
		a.code = http.StatusText(a.status)
	default:
		a.code = a.Code
	}
	return a
}

// said are the words of whoever answered, as they are shown; "" if they add nothing to the answer.
func (a answer) said() string {
	if a.status == 0 || strings.EqualFold(a.Message, "Access Denied") {
		return ""
	}
	return a.Message
}

// silence tells why nothing was answered, and by whom.
func silence(err error) (Silence, string) {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var timeout net.Error
	var operation *net.OpError
	var sending *smithyhttp.RequestSendError
	var refused *client.RefusedByProxyError
	at := ""
	if errors.As(err, &operation) && operation.Addr != nil {
		at = operation.Addr.String()
	}
	switch {
	case errors.As(err, &refused):
		return NoProxy, fmt.Sprintf("HTTP %d", refused.Status)
	case operation != nil && operation.Op == "proxyconnect":
		return NoProxy, at
	case errors.As(err, &dns):
		return NoName, dns.Name
	case errors.As(err, &certificate):
		return NoTrust, at
	case errors.Is(err, context.Canceled):
		return NoInterrupt, ""
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return NoTime, at
	case errors.Is(err, syscall.ECONNREFUSED):
		return NoListener, at
	case errors.As(err, &sending):
		return NoBroken, at
	default:
		return NotSent, ""
	}
}

// fault is the outcome of an answer that means the same whatever was asked;
// "" if its meaning hangs on the question.
func (a answer) fault() Outcome {
	if a.ok() {
		return ""
	}
	switch a.code { // which is only ever the store's
	case "InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException":
		return KeyUnknown
	case "SignatureDoesNotMatch", "IncompleteSignature":
		if a.dated && a.offset.Abs() > clockWarn {
			return ClockRefused
		}
		return WrongSecret
	case "ExpiredToken", "ExpiredTokenException", "RequestExpired":
		return TokenExpired
	case "InvalidToken", "TokenRefreshRequired":
		return TokenBad
	case "RequestTimeTooSkewed":
		return ClockRefused
	case "RegionDisabledException":
		return RegionDisabled
	case "AccountProblem", "AllAccessDisabled", "NotSignedUp", "InvalidPayer":
		return AccountClosed
	case "PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		return WrongRegion
	case "NoSuchBucket":
		return NoBucket
	}
	switch {
	case a.Class == client.NotTheStore:
		return NotTheStore
	case a.Class == client.StoreFull:
		return StoreFull
	case a.Class == client.Machine:
		return MachineLacks
	case a.status == 0:
		return Unreachable
	case a.status >= 500 && a.status != http.StatusNotImplemented, a.code == "SlowDown", a.code == "RequestTimeout", a.code == "Throttling":
		return StoreBusy
	case a.status == http.StatusMovedPermanently, a.status == http.StatusTemporaryRedirect:
		return WrongRegion
	default:
		return ""
	}
}

// denied tells whether the answer is "you may not", and not "you are not you".
func (a answer) denied() bool {
	return a.status == http.StatusForbidden && a.fault() == ""
}

// badChecksum tells whether the store refused a body by its checksum.
func (a answer) badChecksum() bool {
	switch a.code {
	case "BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch", "ChecksumMismatch", "InvalidChecksum":
		return true
	}
	return false
}

// region is the bucket's, where an answer tells it.
func (a answer) region() string {
	if a.Region != "" {
		return a.Region
	}
	return a.header.Get("X-Amz-Bucket-Region")
}

var wrongChecksum = aws.String("//////////8=") // of no empty body
