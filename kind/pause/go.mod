module faultline.dev/pause

go 1.24
