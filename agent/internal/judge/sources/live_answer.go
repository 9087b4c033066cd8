package sources

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// maxAnswer is the most that is read of one answer; a page of an account's
// details is a few MiB.
const maxAnswer = 64 << 20

// roots are the root elements of S3's answers (S3 API Reference, each call's
// "Response syntax"). Those of IAM and STS are the call's name with "Response".
var roots = map[string]string{
	"ListBuckets":                "ListAllMyBucketsResult",
	"GetBucketAcl":               "AccessControlPolicy",
	"GetBucketOwnershipControls": "OwnershipControls",
	"GetBucketVersioning":        "VersioningConfiguration",
	"GetBucketEncryption":        "ServerSideEncryptionConfiguration",
	"GetPublicAccessBlock":       "PublicAccessBlockConfiguration",

	"ListAccessPoints":                      "ListAccessPointsResult",
	"GetAccessPointPolicy":                  "GetAccessPointPolicyResult",
	"ListAccessGrantsInstances":             "ListAccessGrantsInstancesResult",
	"GetAccessGrantsInstanceResourcePolicy": "GetAccessGrantsInstanceResourcePolicyResult",
}

// plainAnswers are JSON.
var plainAnswers = map[string]bool{"GetBucketPolicy": true}

// checkAnswers lets no page of a proxy, and no empty body, pass for an answer:
// of XML that holds none of what was asked the SDK makes a result without
// members, as it does of an answer that says that there is nothing.
func checkAnswers(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("AnswerRoot", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		response, ok := out.RawResponse.(*smithyhttp.Response)
		if err != nil || !ok {
			return out, metadata, err
		}
		record(ctx, response)
		sign(ctx, response)
		body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
		if err = errors.Join(err, response.Body.Close()); err != nil {
			return out, metadata, err
		}
		response.Body = io.NopCloser(bytes.NewReader(body))
		if response.StatusCode < 200 || response.StatusCode >= 300 {
			return out, metadata, nil
		}
		if why := heldTo(awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx), body); why != "" {
			return out, metadata, why
		}
		return out, metadata, nil
	}), middleware.After)
}

// heldTo looks at the root element of an answer, or that it is JSON.
func heldTo(service, operation string, body []byte) Lost {
	want := roots[operation]
	if service == "IAM" || service == "STS" {
		want = operation + "Response"
	}
	switch {
	case len(body) > maxAnswer:
		return LostTooLong
	case len(bytes.TrimSpace(body)) == 0:
		return LostEmpty
	case service == "KMS" || plainAnswers[operation]:
		if !json.Valid(body) {
			return LostGarbled
		}
		return ""
	}
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := d.Token()
		if err != nil {
			return LostGarbled
		}
		if start, ok := token.(xml.StartElement); ok {
			if start.Name.Local != want {
				return LostGarbled
			}
			return ""
		}
	}
}

// signedKey is where a read notes in its context whether AWS has signed its answer.
type signedKey struct{}

// signing makes the reads under it note whether their answer bears the id that AWS
// gives to each request. What answers in AWS's place, and in the shape of the call,
// has none; an answer with one may leave an empty list out and still say that it is
// empty, as the SDKs take it.
func signing(ctx context.Context, signed *bool) context.Context {
	*signed = false
	return context.WithValue(ctx, signedKey{}, signed)
}

func sign(ctx context.Context, response *smithyhttp.Response) {
	if signed, ok := ctx.Value(signedKey{}).(*bool); ok {
		*signed = requestID(response) != ""
	}
}
