package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Class is what an error asks for. The set is closed.
type Class int

const (
	// Unknown is anything that has no meaning here; trying again is a guess.
	Unknown Class = iota
	// Transient may pass by itself: 5xx, RequestTimeout, a broken connection, no name, no route.
	Transient
	// Throttled is Transient, and asks all senders to slow down.
	Throttled
	// Credential is a fault of the key, its session or the clock: nothing else can be sent either.
	Credential
	// AccessDenied is a policy's answer; the gate finds out whether it means the key or the file.
	AccessDenied
	// Exists is 412: an object stands at the key; whose, is not told.
	Exists
	// Raced is 409: a delete won against the conditional write; a multipart upload begins again.
	Raced
	// NoUpload means that the multipart upload can't be finished any more: it is unknown, or does not hold
	// the parts that it should. The file begins again.
	NoUpload
	// Corrupt means that other bytes arrived than were sent; nothing was stored.
	Corrupt
	// Bucket is a fault of bucket, Region or store: no file can be sent.
	Bucket
	// File is a fault of this one file, its key or its metadata.
	File
	// Canceled means that the caller gave up.
	Canceled
	// NotTheStore means that something else answered, as a proxy or a portal does: whether the request reached
	// the store, and what became of it, is not known.
	NotTheStore
	// StoreFull means that the store has no room, or that a quota of it is used up: it ends by itself.
	StoreFull
	// Machine means that this machine lacks something for now: descriptors, memory, disk, ports.
	Machine

	classCount
)

// classNames are the classes as logs call them.
var classNames = [classCount]string{"unknown", "transient", "throttled", "credential", "access-denied", "exists", "raced",
	"no-upload", "corrupt", "bucket", "file", "canceled", "not-the-store", "store-full", "machine"}

// String names the class for logs.
func (c Class) String() string { return classNames[c] }

// Classes are all of them, for tables that must decide each.
func Classes() []Class {
	all := make([]Class, classCount)
	for i := range all {
		all[i] = Class(i)
	}
	return all
}

// Fault is what is known of an error of a call to AWS.
type Fault struct {
	Class Class
	// Code is S3's or STS's error code; a short word for what broke below HTTP: "reset", "dns", "tls", …; or "HTTP 413"
	// of an answer that is not the store's.
	Code string
	// Message are the words of whoever answered, without secrets, to be shown and never to be decided by.
	Message    string
	Status     int // of HTTP; 0 without an answer
	RequestID  string
	RetryAfter time.Duration // what the answer asks for, at most MostRetryAfter; 0 if nothing
	Region     string        // the bucket's true Region, where the answer names it
	Date       time.Time     // the answer's clock; zero if it had none
}

// classes of error codes (S3 API Reference, "Error responses"; STS API Reference, "Common errors").
var classes = map[string]Class{
	"InternalError": Transient, "RequestTimeout": Transient, "RequestTimeoutException": Transient, "IncompleteBody": Transient,
	"OperationAborted": Transient, "TemporaryRedirect": Transient, "InternalFailure": Transient, "BadGateway": Transient,

	"SlowDown": Throttled, "ServiceUnavailable": Throttled, "Throttling": Throttled, "ThrottlingException": Throttled,
	"RequestLimitExceeded": Throttled, "TooManyRequests": Throttled, "TooManyRequestsException": Throttled,
	"RequestThrottled": Throttled, "RequestThrottledException": Throttled, "BandwidthLimitExceeded": Throttled, "Busy": Throttled,
	"SlowDownRead": Throttled, "SlowDownWrite": Throttled,

	"InvalidAccessKeyId": Credential, "SignatureDoesNotMatch": Credential, "ExpiredToken": Credential, "InvalidToken": Credential,
	"TokenRefreshRequired": Credential, "RequestTimeTooSkewed": Credential, "RequestExpired": Credential,
	"AccountProblem": Credential, "AllAccessDisabled": Credential, "NotSignedUp": Credential, "InvalidPayer": Credential,
	"InvalidClientTokenId": Credential, "UnrecognizedClientException": Credential, "ExpiredTokenException": Credential,
	"MissingAuthenticationToken": Credential, "MissingSecurityHeader": Credential, "InvalidSecurity": Credential,
	"RegionDisabledException": Credential, "AuthFailure": Credential, "OptInRequired": Credential,

	"AccessDenied": AccessDenied, "AccessDeniedException": AccessDenied, "Forbidden": AccessDenied,

	"PreconditionFailed":         Exists,
	"ConditionalRequestConflict": Raced,

	"NoSuchUpload": NoUpload, "InvalidPart": NoUpload, "InvalidPartOrder": NoUpload, "EntityTooSmall": NoUpload,

	"BadDigest": Corrupt, "XAmzContentSHA256Mismatch": Corrupt, "XAmzContentChecksumMismatch": Corrupt,

	"NoSuchBucket": Bucket, "PermanentRedirect": Bucket, "AuthorizationHeaderMalformed": Bucket,
	"IllegalLocationConstraintException": Bucket, "InvalidBucketName": Bucket, "MethodNotAllowed": Bucket,
	"NotImplemented": Bucket, "AccessControlListNotSupported": Bucket, "InvalidBucketState": Bucket,
	"InvalidStorageClass": Bucket,

	"QuotaExceeded": StoreFull, "XMinioStorageFull": StoreFull, "XMinioAdminBucketQuotaExceeded": StoreFull,
	"InsufficientStorage": StoreFull, "InsufficientCapacity": StoreFull, "StorageQuotaExceeded": StoreFull,
	"StorageFull": StoreFull, "StorageLimitExceeded": StoreFull, "ServiceQuotaExceeded": StoreFull,

	"EntityTooLarge": File, "KeyTooLongError": File, "MetadataTooLarge": File, "InvalidArgument": File, "InvalidRequest": File,
	"InvalidURI": File, "InvalidTag": File, "InvalidDigest": File, "MissingContentLength": File, "NoSuchKey": File,
	"RequestHeaderSectionTooLarge": File, "XMinioInvalidObjectName": File,
	// A store on a file system can't hold a name both as a file and as a folder.
	"ObjectParentIsFile": File, "ExistingObjectIsDirectory": File, "XMinioObjectExistsAsDirectory": File, "XMinioParentIsObject": File,
}

// byStatus is for answers whose code is unknown or missing, as of HEAD and of proxies.
func byStatus(status int) Class {
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return Throttled
	case status == http.StatusNotImplemented:
		return Bucket
	case status == http.StatusInsufficientStorage:
		return StoreFull
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusTemporaryRedirect:
		return Transient
	case status == http.StatusForbidden:
		return AccessDenied
	case status == http.StatusPreconditionFailed:
		return Exists
	case status == http.StatusMovedPermanently, status == http.StatusPermanentRedirect:
		return Bucket
	case status == http.StatusRequestEntityTooLarge, status == http.StatusRequestHeaderFieldsTooLarge, status == http.StatusRequestURITooLong:
		return File
	}
	return Unknown
}

// Classify says what an error of the SDK, of the credential chain or of the connection means. Of a nil error
// the class is Unknown; a deadline is Transient, for only the caller knows whose it was.
func Classify(err error) Fault {
	var f Fault
	var answered *smithyhttp.ResponseError
	var broken *brokenAnswerError
	if errors.As(err, &answered) && !errors.As(err, &broken) {
		f.fromResponse(answered.HTTPResponse())
	}
	var credentials *CredentialsError
	var stranger *NotTheStoreError
	var api smithy.APIError
	switch {
	case err == nil:
	case errors.Is(err, context.Canceled):
		f.Class, f.Code = Canceled, "canceled"
	case f.Status == 0 && Lacking(err) != "": // for a connection, or for the files of the credentials
		f.Class, f.Code = Machine, Lacking(err)
	case errors.As(err, &credentials):
		f.Class, f.Code = Credential, string(credentials.Problem)
	case errors.As(err, &stranger):
		f.Class, f.Status, f.Code, f.Message = NotTheStore, stranger.Status, fmt.Sprintf("HTTP %d", stranger.Status), stranger.Words
	case errors.As(err, &api):
		var refusal *Refusal
		if errors.As(err, &refusal) && f.Region == "" {
			f.Region = refusal.Region
		}
		f.Code, f.Message = api.ErrorCode(), api.ErrorMessage()
		class, known := classes[f.Code]
		switch {
		case known:
			f.Class = class
		case strings.HasPrefix(f.Code, "KMS."): // the bucket's key: disabled, deleted, not granted
			f.Class = Bucket
		case strings.HasPrefix(f.Code, "XMinioStorage"):
			f.Class = StoreFull
		default:
			f.Class = byStatus(f.Status)
		}
	case f.Status >= 200 && f.Status < 300: // a success that can't be read
		f.Class, f.Code = NotTheStore, fmt.Sprintf("HTTP %d", f.Status)
	case f.Status != 0:
		f.Class = byStatus(f.Status)
	default:
		f.Class, f.Code = belowHTTP(err)
		if proxy := (*RefusedByProxyError)(nil); errors.As(err, &proxy) {
			f.Message = proxy.Error()
		}
	}
	return f
}

func (f *Fault) fromResponse(r *smithyhttp.Response) {
	if r == nil || r.Response == nil {
		return
	}
	f.Status = r.StatusCode
	f.RequestID = r.Header.Get("X-Amz-Request-Id")
	if f.RequestID == "" {
		f.RequestID = r.Header.Get("X-Amzn-Requestid")
	}
	f.Region = r.Header.Get("X-Amz-Bucket-Region")
	f.Date, _ = http.ParseTime(r.Header.Get("Date")) // zero if it can't be read
	f.RetryAfter = retryAfter(r.Header.Get("Retry-After"), f.Date)
}

// MostRetryAfter bounds what a server may ask for: a number that is a mistake must not stop a file for a century.
const MostRetryAfter = 5 * time.Minute

// retryAfter reads seconds or a date (RFC 9110, 10.2.3); now is the clock of whoever answered. What can't be read, or is
// past, asks for nothing.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 32)
		if err != nil { // more than an int32 holds
			return MostRetryAfter
		}
		return min(time.Duration(seconds)*time.Second, MostRetryAfter)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if now.IsZero() {
		now = time.Now()
	}
	return min(max(at.Sub(now), 0), MostRetryAfter)
}

// Said is all that whoever answered said, for people: code, words, and the request's name. It has passed the redactor.
func (f Fault) Said() string {
	text := f.Code
	if text == "" && f.Status != 0 {
		text = fmt.Sprintf("HTTP %d", f.Status)
	}
	if f.Message != "" {
		text += ": " + f.Message
	}
	if f.RequestID != "" {
		text += " (request " + f.RequestID + ")"
	}
	return text
}

// belowHTTP names what broke where no answer came.
func belowHTTP(err error) (Class, string) {
	var dns *net.DNSError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var certificate x509.CertificateInvalidError
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var timeout net.Error
	var proxy *RefusedByProxyError
	switch {
	case errors.As(err, &proxy):
		return Transient, "proxy"
	case errors.As(err, &dns):
		return Transient, "dns"
	case errors.As(err, &authority), errors.As(err, &host), errors.As(err, &certificate), errors.As(err, &verification),
		errors.As(err, &record), errors.As(err, &alert):
		return Transient, "tls"
	case errors.Is(err, syscall.ECONNREFUSED):
		return Transient, "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, net.ErrClosed): // closed by this side, which had read its end while it wrote
		return Transient, "reset"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Transient, "timeout"
	}
	var operation *net.OpError
	var sending *smithyhttp.RequestSendError
	if errors.As(err, &operation) || errors.As(err, &sending) {
		return Transient, "network"
	}
	if strings.Contains(err.Error(), "http: server closed idle connection") || strings.Contains(err.Error(), "transport connection broken") {
		return Transient, "reset" // net/http has no value for these two
	}
	return Unknown, ""
}

// Lacking names what this machine lacks by the system's word for it ("descriptors", "memory", "disk", "buffers",
// "ports"), whatever it was that failed for it; "" if the error is no such one.
func Lacking(err error) string {
	for _, lack := range []struct {
		errno syscall.Errno
		code  string
	}{
		{syscall.EMFILE, "descriptors"},
		{syscall.ENFILE, "descriptors"},
		{syscall.ENOMEM, "memory"},
		{syscall.ENOSPC, "disk"},
		{syscall.EDQUOT, "disk"},
		{syscall.ENOBUFS, "buffers"},
		{syscall.EADDRNOTAVAIL, "ports"},
	} {
		if errors.Is(err, lack.errno) {
			return lack.code
		}
	}
	return ""
}
