package sources

import (
	"context"
	"strings"
	"sync"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Request is one answer of AWS, by which its owner finds it again.
type Request struct {
	Call   string `json:"call"` // "iam:GetUser"
	ID     string `json:"id"`   // that AWS gave it
	Status int    `json:"status"`
}

// requests collects them; several readers may add at a time.
type requests struct {
	mu   sync.Mutex
	list []Request
}

type requestsKey struct{}

// recording makes the live reads under it add their answers to l.
func (l *loader) recording(ctx context.Context) context.Context {
	return context.WithValue(ctx, requestsKey{}, &l.requests)
}

// record keeps what an answer is called.
func record(ctx context.Context, response *smithyhttp.Response) {
	r, ok := ctx.Value(requestsKey{}).(*requests)
	if !ok {
		return
	}
	id := requestID(response)
	service := strings.ToLower(awsmiddleware.GetServiceID(ctx))
	service = strings.TrimSuffix(strings.ReplaceAll(service, " ", ""), "control")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, Request{service + ":" + awsmiddleware.GetOperationName(ctx), id, response.StatusCode})
}

// requestID is the id that AWS gave to a request, "" where the answer has none.
func requestID(response *smithyhttp.Response) string {
	if id := response.Header.Get("X-Amzn-Requestid"); id != "" {
		return id
	}
	return response.Header.Get("X-Amz-Request-Id")
}
