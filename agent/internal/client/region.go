package client

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/config"
)

// HasRegion reports whether the settings, the environment or the profile name a Region. It asks nobody, and says yes
// where that can't be read: Load tells what is wrong then.
func HasRegion(ctx context.Context, s Settings) bool {
	if s.Region != "" {
		return true
	}
	var options []func(*config.LoadOptions) error
	if s.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(s.Profile))
	}
	c, err := config.LoadDefaultConfig(ctx, options...)
	return err != nil || c.Region != ""
}
