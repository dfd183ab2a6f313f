package awscloud

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
)

// Event is what RDS has noted of an instance.
type Event struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

// eventsKept is how long RDS keeps events (the RDS guide, "Amazon RDS event categories": 14 days).
const eventsKept = 14 * 24 * time.Hour

// Events are the events of an instance in the last 14 days, oldest first: among them those that name the position in the
// binary log at which a restored or cloned cluster begins. The instance is the new cluster's writer.
func (c *Cloud) Events(ctx context.Context, instance string) ([]Event, error) {
	var all []Event
	var marker *string
	for range maxPages {
		out, err := ask(ctx, "rds:DescribeEvents", "instance "+instance, func(ctx context.Context) (*rds.DescribeEventsOutput, error) {
			return c.rds.DescribeEvents(ctx, &rds.DescribeEventsInput{SourceIdentifier: aws.String(instance), SourceType: types.SourceTypeDbInstance,
				Duration: aws.Int32(int32(eventsKept / time.Minute)), Marker: marker}) // Without a duration AWS gives the last hour.
		})
		if err != nil {
			return nil, err
		}
		for _, e := range out.Events {
			all = append(all, Event{At: aws.ToTime(e.Date), Text: aws.ToString(e.Message)})
		}
		if marker = out.Marker; aws.ToString(marker) == "" {
			break
		}
	}
	return all, nil
}
